//! A store of the files that passed by: named by their SHA-256 in 256 folders, as Suricata's
//! `file-store` output, version 2, has it.
//!
//! ```text
//! filestore/tmp/<flow>.<file>                          while it comes
//! filestore/48/48d1…                                   once it is over
//! filestore/48/48d1….<seconds>.<file>.json             its record, with `write-fileinfo: yes`
//! ```
//!
//! A file that came before is kept once. No handles are held between chunks.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use packet::eve::{Now, Utc, write_fileinfo};
use packet::json::Object;
use packet::settings::{Setting, Settings};
use packet::{Event, FileInfo, Flow, Transaction};

/// A folder of files.
#[derive(Debug, Clone)]
pub struct FileStore {
    folder: PathBuf,
    write_fileinfo: bool,
    on_demand: bool,
}

impl FileStore {
    /// The enabled `file-store` output of the settings; relative folders are below `log_folder`.
    #[must_use]
    pub fn from_settings(settings: &Settings, log_folder: &Path) -> Option<Self> {
        let outputs = settings.at("outputs");
        let mut outputs = outputs.items().map(|output| output.at("file-store"));
        let output = outputs.find(|output| output.at("enabled").flag() == Some(true))?;
        Some(Self {
            folder: log_folder.join(output.at("dir").text().unwrap_or("filestore")),
            write_fileinfo: output.at("write-fileinfo").flag().unwrap_or(false),
            on_demand: false,
        })
    }

    /// Whether it is known only at the end of a file that it is to be stored: then all are kept as
    /// they come.
    #[must_use]
    pub fn on_demand(self, on_demand: bool) -> Self {
        Self { on_demand, ..self }
    }

    /// Stores what an event brings, if it is of a file to be stored.
    ///
    /// # Errors
    /// What the file system says; the file is then not in the store, or not whole.
    pub fn event(&self, event: &Event<'_>, now: Now) -> io::Result<()> {
        match event {
            Event::FileData(flow, _, chunk) if chunk.file.stored || self.on_demand => {
                let path = self.passing(flow, chunk.file.id)?;
                let mut file = OpenOptions::new().create(true).append(true).open(path)?;
                file.write_all(chunk.data)
            }
            Event::File(flow, carrier, file) if file.stored => self.keep(flow, *carrier, file, now),
            Event::File(flow, _, file) if self.on_demand => self.forget(flow, file.id),
            Event::Arp(_)
            | Event::Packet(_)
            | Event::FlowStart(_)
            | Event::Attempt(..)
            | Event::Exchanged(_)
            | Event::Proven(_)
            | Event::Closed(..)
            | Event::Transaction(..)
            | Event::FileData(..)
            | Event::AppFrame(..)
            | Event::Inspect(_)
            | Event::Progress(..)
            | Event::Stream(..)
            | Event::File(..)
            | Event::FlowEnd(..)
            | Event::Anomaly(..) => Ok(()),
        }
    }

    fn keep(
        &self,
        flow: &Flow,
        carrier: &dyn Transaction,
        file: &FileInfo,
        now: Now,
    ) -> io::Result<()> {
        let passing = self.passing(flow, file.id)?;
        let Some(name) = &file.sha256 else {
            return fs::remove_file(passing);
        };
        let folder = self.folder.join(name.get(..2).unwrap_or_default());
        fs::create_dir_all(&folder)?;
        if passing.exists() {
            fs::rename(passing, folder.join(name))?;
        }
        if !self.write_fileinfo {
            return Ok(());
        }
        let mut record = String::new();
        Object::write(&mut record, |object| {
            object.display("timestamp", Utc(now.ts_ns));
            object.number("pcap_cnt", now.packet);
            write_fileinfo(object, flow, carrier, file, Setting::NOTHING);
        });
        let seconds = now.ts_ns / 1_000_000_000;
        let path = folder.join(format!("{name}.{seconds}.{}.json", file.store_id));
        fs::write(path, record)
    }

    /// A file that was kept as it came is not stored. Of one without bytes there is nothing.
    fn forget(&self, flow: &Flow, file: u32) -> io::Result<()> {
        let passing = self.passing(flow, file)?;
        match passing.exists() {
            true => fs::remove_file(passing),
            false => Ok(()),
        }
    }

    /// Where a file is while it comes.
    fn passing(&self, flow: &Flow, file: u32) -> io::Result<PathBuf> {
        let folder = self.folder.join("tmp");
        fs::create_dir_all(&folder)?;
        Ok(folder.join(format!("{}.{file}", flow.id.0)))
    }
}

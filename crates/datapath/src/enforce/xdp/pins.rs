//! Where maps and link are pinned: a BPF file system, one folder per interface.
//!
//! `PIN_DIR/INTERFACE-NETNS/link` and `PIN_DIR/INTERFACE-NETNS/maps-LAYOUT/NAME`. The number of the network
//! namespace keeps interfaces of the same name apart. A BPF file system allows no dots in names; those of
//! interfaces become colons, which interfaces cannot have.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::layout::LAYOUT;
use crate::enforce::EnforceError;

/// Where Linux distributions mount the BPF file system.
const BPFFS: &str = "/sys/fs/bpf";

/// The folder of one interface.
#[derive(Debug, Clone)]
pub(super) struct Pins(PathBuf);

impl Pins {
    /// Names the folder; touches nothing.
    pub(super) fn of(pin_dir: &Path, interface: &str) -> Result<Self, EnforceError> {
        if interface.is_empty() || interface.contains('/') {
            return Err(EnforceError::NoInterface(interface.into()));
        }
        let netns = Path::new("/proc/thread-self/ns/net");
        let number = fs::metadata(netns)
            .map_err(pin(netns, "network namespace"))?
            .ino();
        let name = interface.replace('.', ":");
        Ok(Self(pin_dir.join(format!("{name}-{number}"))))
    }

    /// Every interface that has pins below `pin_dir`, with its name; in order.
    pub(super) fn all(pin_dir: &Path) -> Vec<(String, Self)> {
        let folders = fs::read_dir(pin_dir).into_iter().flatten().flatten();
        let mut all: Vec<_> = folders
            .filter_map(|folder| {
                let name = folder.file_name().into_string().ok()?;
                let (interface, _netns) = name.rsplit_once('-')?;
                let pins = Self(folder.path());
                pins.maps()
                    .is_dir()
                    .then(|| (interface.replace(':', "."), pins))
            })
            .collect();
        all.sort_by(|a, b| a.1.0.cmp(&b.1.0));
        all
    }

    /// Makes the folder, mounting a BPF file system where there is none.
    pub(super) fn prepare(&self) -> Result<(), EnforceError> {
        let pin_dir = self.0.parent().unwrap_or(&self.0);
        ensure_bpffs(pin_dir)?;
        let maps = self.maps();
        fs::create_dir_all(&maps).map_err(pin(&maps, "making the folder"))
    }

    pub(super) fn link(&self) -> PathBuf {
        self.0.join("link")
    }

    pub(super) fn maps(&self) -> PathBuf {
        self.0.join(format!("maps-{LAYOUT}"))
    }

    /// Folders of maps of other layouts, which another version left.
    pub(super) fn other_maps(&self) -> Vec<PathBuf> {
        let own = self.maps();
        let Ok(entries) = fs::read_dir(&self.0) else {
            return Vec::new();
        };
        let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
        folders
            .filter(|path| path.is_dir() && *path != own)
            .collect()
    }

    /// Removes the folder and all that is pinned there; false if there was none.
    pub(super) fn remove(&self) -> Result<bool, EnforceError> {
        if !self.0.exists() {
            return Ok(false);
        }
        fs::remove_dir_all(&self.0).map_err(pin(&self.0, "removing"))?;
        Ok(true)
    }
}

/// For `map_err`: names file and step.
pub(super) fn pin(path: &Path, step: &'static str) -> impl FnOnce(io::Error) -> EnforceError {
    move |source| EnforceError::Pin {
        path: path.into(),
        step,
        source,
    }
}

fn ensure_bpffs(folder: &Path) -> Result<(), EnforceError> {
    if fs::create_dir_all(folder).is_err() && folder.starts_with(BPFFS) {
        mount(Path::new(BPFFS))?;
    }
    fs::create_dir_all(folder).map_err(pin(folder, "making the folder"))?;
    if is_bpffs(folder)? {
        Ok(())
    } else {
        mount(folder)
    }
}

fn is_bpffs(folder: &Path) -> Result<bool, EnforceError> {
    let path = c_path(folder)?;
    let mut stat = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `path` ends in a null byte, `stat` is writable, and both outlive the call.
    #[expect(unsafe_code, reason = "std does not tell file systems")]
    let result = unsafe { libc::statfs(path.as_ptr(), stat.as_mut_ptr()) };
    if result < 0 {
        return Err(pin(folder, "file system type")(io::Error::last_os_error()));
    }
    // SAFETY: all zeroes is a valid statfs, whether or not the kernel wrote to it.
    #[expect(unsafe_code, reason = "std does not tell file systems")]
    let stat = unsafe { stat.assume_init() };
    Ok(stat.f_type == libc::BPF_FS_MAGIC)
}

fn mount(folder: &Path) -> Result<(), EnforceError> {
    let path = c_path(folder)?;
    // SAFETY: all four are strings that end in a null byte and outlive the call.
    #[expect(unsafe_code, reason = "std does not mount")]
    let result = unsafe {
        libc::mount(
            c"bpf".as_ptr(),
            path.as_ptr(),
            c"bpf".as_ptr(),
            0,
            c"mode=0700".as_ptr().cast(),
        )
    };
    if result < 0 {
        let step = "mounting a BPF file system (needs CAP_SYS_ADMIN; or do `mount -t bpf bpf FOLDER` beforehand)";
        return Err(pin(folder, step)(io::Error::last_os_error()));
    }
    Ok(())
}

fn c_path(path: &Path) -> Result<CString, EnforceError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_null| pin(path, "its name")(io::ErrorKind::InvalidInput.into()))
}

//! The program: its object, loading it, and the link that keeps it on an interface.

use std::path::Path;

use aya::programs::ProgramError;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::{Xdp, XdpLink, XdpLinkId, XdpMode};
use aya::{Ebpf, EbpfLoader};

use super::Wanted;
use super::layout::MAPS;
use super::pins::{Pins, pin};
use crate::enforce::EnforceError;
use crate::enforce::error::kernel;
use crate::interface::Interface;

/// The committed object; `ebpf/Makefile` rebuilds it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../ebpf/shield.bpf.o"
));

/// SHA-256 of the object, in hexadecimal; a test holds it against the object.
pub const OBJECT_SHA256: &str = first_word(include_str!("../../../../../ebpf/shield.bpf.o.sha256"));

/// The first 8 bytes of the digest as a number.
pub(super) fn object() -> u64 {
    OBJECT_SHA256
        .get(..16)
        .and_then(|hex| u64::from_str_radix(hex, 16).ok())
        .unwrap_or(0)
}

const fn first_word(text: &'static str) -> &'static str {
    match text.split_at_checked(64) {
        Some((digest, _)) => digest,
        None => text,
    }
}

/// A loaded program, not yet on an interface.
#[derive(Debug)]
pub(super) struct Program(Ebpf);

impl Program {
    /// Loads the object; it uses the maps pinned in `folder`, and those that are not there are made and pinned.
    pub(super) fn load(folder: &Path, leases_max: u32) -> Result<Self, EnforceError> {
        let mut loader = EbpfLoader::new();
        loader
            .map_max_entries("leases", leases_max)
            .map_max_entries("slots", leases_max);
        for name in MAPS {
            loader.map_pin_path(name, folder.join(name));
        }
        let mut this = Self(loader.load(OBJECT).map_err(kernel("making the XDP maps"))?);
        this.xdp()?
            .load()
            .map_err(kernel("loading the XDP program"))?;
        Ok(this)
    }

    /// Puts the program on an interface that has none, and pins the link.
    pub(super) fn attach(
        &mut self,
        interface: &Interface,
        wanted: Wanted,
        pins: &Pins,
    ) -> Result<(), EnforceError> {
        let xdp = self.xdp()?;
        let mut on = |mode| xdp.attach_to_if_index(interface.index, mode);
        let link = match wanted {
            Wanted::Native => on(XdpMode::Driver),
            Wanted::Generic => on(XdpMode::Skb),
            Wanted::Auto => on(XdpMode::Driver).or_else(|native| {
                tracing::info!(error = %chain(&native), "no native XDP here; trying generic");
                on(XdpMode::Skb)
            }),
        };
        let link = link.map_err(kernel("attaching the XDP program"))?;
        let path = pins.link();
        let pinned = self.take(link)?.pin(&path);
        pinned.map(drop).map_err(kernel("pinning the XDP link"))
    }

    /// Puts the program in the place of the one that `link` holds, without a gap.
    pub(super) fn replace(&mut self, link: PinnedLink) -> Result<(), EnforceError> {
        let link: XdpLink = FdLink::from(link)
            .try_into()
            .map_err(kernel("taking over the XDP link"))?;
        let link = self
            .xdp()?
            .attach_to_link(link)
            .map_err(kernel("replacing the XDP program"))?;
        self.take(link).map(drop)
    }

    fn take(&mut self, link: XdpLinkId) -> Result<FdLink, EnforceError> {
        let link = self
            .xdp()?
            .take_link(link)
            .map_err(kernel("taking the XDP link"))?;
        link.try_into().map_err(kernel("taking the XDP link"))
    }

    fn xdp(&mut self) -> Result<&mut Xdp, EnforceError> {
        let program = self.0.program_mut("shield");
        let program = program.ok_or_else(|| kernel("reading the object")("no program `shield`"))?;
        program.try_into().map_err(kernel("reading the object"))
    }
}

/// The pinned link, if it is what holds the program on `interface`; a pin of anything else is removed.
pub(super) fn standing_link(
    pins: &Pins,
    interface: &Interface,
) -> Result<Option<PinnedLink>, EnforceError> {
    let path = pins.link();
    let Ok(link) = PinnedLink::from_pin(&path) else {
        return Ok(None);
    };
    let link = FdLink::from(link);
    let holds = link
        .info()
        .map_err(kernel("asking about the XDP link"))?
        .program_id();
    if interface
        .xdp
        .is_some_and(|attached| attached.program_id == holds)
    {
        return PinnedLink::from_pin(&path)
            .map(Some)
            .map_err(kernel("opening the XDP link"));
    }
    std::fs::remove_file(&path).map_err(pin(&path, "removing the pin of a dead link"))?;
    Ok(None)
}

fn chain(error: &ProgramError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

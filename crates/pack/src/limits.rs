//! Bounds on what is read as a pack.

/// Bounds on a pack; each refusal names the bound that it hit. Nothing is allocated by what a pack
/// claims of itself: its files are parts of the bytes that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest pack, in bytes.
    pub pack_bytes_max: usize,
    /// Most files in a pack.
    pub files_max: usize,
    /// Largest file in a pack, in bytes.
    pub file_bytes_max: usize,
    /// Largest manifest, in bytes.
    pub manifest_bytes_max: usize,
    /// Largest envelope of signatures, in bytes.
    pub envelope_bytes_max: usize,
    /// Most signatures on a pack.
    pub signatures_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pack_bytes_max: 128 << 20,
            files_max: 1024,
            file_bytes_max: 64 << 20,
            manifest_bytes_max: 1 << 20,
            envelope_bytes_max: 1 << 20,
            signatures_max: 16,
        }
    }
}

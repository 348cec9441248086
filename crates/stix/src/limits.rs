//! Bounds on what a peer may send.

/// Bounds on a document and the objects in it; each refusal names the bound that it hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest document (bundle, envelope or single object), in bytes.
    pub bytes_max: usize,
    /// Longest single object, in bytes.
    pub object_bytes_max: usize,
    /// Deepest nesting of arrays and objects; the object itself is level 1. Above
    /// [`Limits::DEPTH_CEILING`] it has no further effect.
    pub depth_max: usize,
    /// Most objects in one document.
    pub objects_max: usize,
}

impl Limits {
    /// The JSON reader's own bound on recursion, which `depth_max` cannot lift.
    pub const DEPTH_CEILING: usize = 120;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 16 * 1024 * 1024,
            object_bytes_max: 1024 * 1024,
            depth_max: 64,
            objects_max: 10_000,
        }
    }
}

//! Bounds on a model and on what it may cost.

/// Bounds on a model; each refusal names the bound that it hit.
///
/// What a model may cost is known when it is read: nothing of it depends on the data that it is run
/// over, but the number of samples in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest file, in bytes.
    pub bytes_max: usize,
    /// Most nodes of the graph.
    pub nodes_max: usize,
    /// Most inputs, and most outputs, of the graph and of a node.
    pub ports_max: usize,
    /// Most dimensions of a tensor.
    pub rank_max: usize,
    /// Longest dimension.
    pub dim_max: usize,
    /// Most elements of all constants together: initializers, attributes, and what is computed of
    /// them when the model is read.
    pub constants_max: usize,
    /// Most attributes of a node.
    pub attributes_max: usize,
    /// Longest list in an attribute.
    pub attribute_list_max: usize,
    /// Longest name or other text, in bytes.
    pub text_max: usize,
    /// Most nodes of all decision trees together.
    pub tree_nodes_max: usize,
    /// Most elements, for one sample, of all values that live at once, inputs and outputs included.
    pub elements_max: usize,
    /// Most multiply-adds (or comparable work on one element) for one sample.
    pub multiply_adds_max: u64,
    /// Most steps down decision trees for one sample.
    pub tree_steps_max: u64,
    /// Most samples in one run.
    pub batch_max: usize,
    /// Most elements of all outputs of a run: a model with large outputs takes fewer samples at once.
    pub output_elements_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 16 * 1024 * 1024,
            nodes_max: 1024,
            ports_max: 256,
            rank_max: 8,
            dim_max: 4 * 1024 * 1024,
            constants_max: 8 * 1024 * 1024,
            attributes_max: 64,
            attribute_list_max: 1024 * 1024,
            text_max: 1024,
            tree_nodes_max: 1024 * 1024,
            elements_max: 256 * 1024,
            multiply_adds_max: 16 * 1024 * 1024,
            tree_steps_max: 1024 * 1024,
            batch_max: 4096,
            output_elements_max: 4 * 1024 * 1024,
        }
    }
}

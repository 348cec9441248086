//! What feeds which input of a model, held against what the extractor gives.

use features::Extractor;
use model::{Element, Model};
use pack::manifest::Model as Entry;

use super::LoadError;

/// A group of an extractor's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// `numbers`: the named columns.
    Numbers,
    /// `ids`: the ids of n-grams.
    Ids,
}

/// What feeds each input of the model, in its order.
pub(super) fn feeds(
    model: &Model,
    entry: &Entry,
    extractor: &dyn Extractor,
) -> Result<Vec<Feed>, LoadError> {
    let wrong = |input: &str, problem: String| LoadError::Input {
        file: entry.file.to_string(),
        input: input.to_owned(),
        problem,
    };
    if let Some(extra) = entry.inputs.iter().find(|told| {
        model
            .inputs()
            .iter()
            .all(|port| *port.name != *told.name.as_ref())
    }) {
        return Err(wrong(
            extra.name.as_ref(),
            "the model has no such input".to_owned(),
        ));
    }
    let feed = |port: &model::Port| {
        let told = entry
            .inputs
            .iter()
            .find(|told| told.name.as_ref() == &*port.name);
        let groups: Vec<&str> = told
            .iter()
            .flat_map(|told| &told.groups)
            .map(|group| group.as_ref())
            .collect();
        let (feed, element, width) = match groups.as_slice() {
            ["numbers"] => (Feed::Numbers, Element::F32, extractor.columns().len()),
            ["ids"] => (Feed::Ids, Element::I64, extractor.ids_max()),
            _ => {
                let has =
                    "the extractor has the groups numbers and ids, each for an input of its own";
                return Err(wrong(&port.name, format!("fed by {groups:?}: {has}")));
            }
        };
        if port.element != element || !port.shape.is_batched() || port.shape.sample_len() != width {
            let gives = format!(
                "it takes {:?} of {:?} for a row, and {} gives {width} of {element:?}",
                port.shape.sample_len(),
                port.element,
                extractor.name()
            );
            return Err(wrong(&port.name, gives));
        }
        Ok(feed)
    };
    model.inputs().iter().map(feed).collect()
}

/// Which output is the score.
pub(super) fn output(model: &Model, entry: &Entry) -> Result<usize, LoadError> {
    let is_score = |port: &model::Port| {
        *port.name == *entry.output.as_ref()
            && port.element == Element::F32
            && port.shape.is_batched()
            && port.shape.sample_len() == 1
    };
    model
        .outputs()
        .iter()
        .position(is_score)
        .ok_or_else(|| LoadError::Output {
            file: entry.file.to_string(),
            output: entry.output.to_string(),
        })
}

//! What is attacked: something that gives a sample a score.

use detect::models::{Scorer, Work};
use features::{Extractor, Subject};

/// Gives scores, and says why.
pub trait Judge {
    /// 0 (harmless) to 1; `None` where it cannot judge this.
    fn score(&mut self, subject: &Subject<'_>) -> Option<f32>;

    /// What counted most, by the name of the column or `n-gram ID`, with its weight. Who has the
    /// model at hand can know this; others cannot.
    fn parts(&mut self, subject: &Subject<'_>) -> Vec<(String, f32)>;

    /// What it looks at.
    fn extractor(&self) -> &'static dyn Extractor;
}

/// The model of a pack.
#[derive(Debug)]
pub struct Model {
    scorer: Scorer,
    work: Work,
    extractor: Named,
}

/// An extractor; its name stands for it in debug output.
struct Named(&'static dyn Extractor);

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Model {
    /// A model with the extractor that its manifest names.
    #[must_use]
    pub fn new(scorer: Scorer, extractor: &'static dyn Extractor) -> Self {
        let work = scorer.work();
        let extractor = Named(extractor);
        Self {
            scorer,
            work,
            extractor,
        }
    }
}

impl Judge for Model {
    fn score(&mut self, subject: &Subject<'_>) -> Option<f32> {
        let score = self.scorer.score(subject, &mut self.work).ok()?;
        Some(score.value)
    }

    fn parts(&mut self, subject: &Subject<'_>) -> Vec<(String, f32)> {
        let why = self.scorer.explain(subject, &mut self.work);
        let parts = why.map(|why| why.parts).unwrap_or_default().into_iter();
        parts.map(|part| (part.name, part.weight)).collect()
    }

    fn extractor(&self) -> &'static dyn Extractor {
        self.extractor.0
    }
}

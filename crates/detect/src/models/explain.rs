//! Why a subject has its score: the bytes, and what of them counted.

use features::Subject;
use model::{Input, Numbers, Target};

use super::{Feed, Score, ScoreError, Scorer, Work};

/// Parts that are named.
const PARTS_MAX: usize = 5;

/// Why a subject has its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The score itself.
    pub score: Score,
    /// The field that looks most malicious: `query q`.
    pub field: String,
    /// What of it was looked at, as it reads after decoding.
    pub text: String,
    /// What counted most, the most first.
    pub parts: Vec<Part>,
}

/// Something that counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// A column's name, or `n-gram` with its id.
    pub name: String,
    /// The column's number; 1 of an n-gram.
    pub value: f32,
    /// How much the logarithm of the odds falls without it.
    pub weight: f32,
}

impl Scorer {
    /// Judges a subject and says why. It takes a run of the model for each number of a row.
    ///
    /// # Errors
    /// [`ScoreError`] as for [`Scorer::score`].
    pub fn explain(
        &self,
        subject: &Subject<'_>,
        work: &mut Work,
    ) -> Result<Explanation, ScoreError> {
        let score = self.score(subject, work)?;
        let parts = self.parts(score, work)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Explanation {
            score,
            field: text(work.field(score.row)),
            text: text(work.text(score.row)),
            parts,
        })
    }

    /// What counted most for the score of the subject that was judged last with `work`, the most
    /// first. It takes a run of the model for each number of a row.
    ///
    /// # Errors
    /// [`ScoreError`] where the model fails.
    pub fn parts(&self, score: Score, work: &mut Work) -> Result<Vec<Part>, ScoreError> {
        let Work {
            samples, scratch, ..
        } = work;
        let extractor = self.extractor.0;
        let inputs = self.inputs(samples, score.row..score.row.saturating_add(1));
        let none = (
            vec![0.0; extractor.columns().len()],
            vec![0; extractor.ids_max()],
        );
        let baseline: Vec<Input<'_>> = self
            .feeds
            .iter()
            .map(|feed| match feed {
                Feed::Numbers => Input::f32(&none.0, 1),
                Feed::Ids => Input::i64(&none.1, 1),
            })
            .collect();
        let target = Target {
            output: self.output,
            element: 0,
        };
        let found = self.model.occlusion(&inputs, &baseline, target, scratch)?;
        let mut parts: Vec<Part> = found
            .parts
            .iter()
            .filter(|part| part.weight > 0.0)
            .filter_map(|part| match inputs.get(part.input)?.values {
                Numbers::F32(numbers) => Some(Part {
                    name: extractor.columns().get(part.element)?.name.to_owned(),
                    value: *numbers.get(part.element)?,
                    weight: fall(score.value, part.weight),
                }),
                Numbers::I64(ids) => Some(Part {
                    name: format!("n-gram {}", ids.get(part.element)?),
                    value: 1.0,
                    weight: fall(score.value, part.weight),
                }),
            })
            .collect();
        parts.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        parts.truncate(PARTS_MAX);
        Ok(parts)
    }
}

impl Work {
    /// The field that a row of the latest subject comes from.
    #[must_use]
    pub fn field(&self, row: usize) -> &[u8] {
        self.samples.field(row)
    }

    /// What of the field was looked at, as it reads after decoding.
    #[must_use]
    pub fn text(&self, row: usize) -> &[u8] {
        self.samples.text(row)
    }
}

/// What a fall of a score is in logarithms of odds: near 1 and near 0 scores hardly differ, while
/// what they are made of does.
fn fall(score: f32, by: f32) -> f32 {
    let odds = |score: f32| {
        let score = score.clamp(f32::EPSILON, 1.0 - f32::EPSILON);
        (score / (1.0 - score)).ln()
    };
    odds(score) - odds(score - by)
}

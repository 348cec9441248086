//! Which buffer each output goes to: one that nobody looks at any more, where there is one.

use super::{Plan, Slot, Source};

/// Gives each output of a step a slot, and returns the slots.
pub(super) fn assign(plan: &mut Plan) -> Vec<Slot> {
    let ends = last_uses(plan);
    let mut slots: Vec<Slot> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    // (step after which it is free, slot)
    let mut busy: Vec<(usize, usize)> = Vec::new();
    for (at, step) in plan.steps.iter_mut().enumerate() {
        busy.retain(|(end, slot)| {
            let ended = *end < at;
            if ended {
                free.push(*slot);
            }
            !ended
        });
        for (output, place) in step.outputs.iter_mut().enumerate() {
            let len = place.shape.sample_len();
            let (sample, fixed) = if place.shape.is_batched() {
                (len, 0)
            } else {
                (0, len)
            };
            let fits = |slot: &usize| {
                let slot = slots.get(*slot);
                slot.is_some_and(|slot| slot.element == place.element)
            };
            let slot = if let Some(found) = free.iter().position(fits) {
                free.swap_remove(found)
            } else {
                slots.push(Slot {
                    element: place.element,
                    sample: 0,
                    fixed: 0,
                });
                slots.len().saturating_sub(1)
            };
            if let Some(slot) = slots.get_mut(slot) {
                slot.sample = slot.sample.max(sample);
                slot.fixed = slot.fixed.max(fixed);
            }
            place.slot = slot;
            let end = ends.get(at).and_then(|ends| ends.get(output));
            busy.push((end.copied().unwrap_or(at), slot));
        }
    }
    slots
}

/// For each output of each step, the last step that looks at it.
fn last_uses(plan: &Plan) -> Vec<Vec<usize>> {
    let steps = plan.steps.iter().enumerate();
    let mut ends: Vec<Vec<usize>> = steps
        .map(|(at, step)| vec![at; step.outputs.len()])
        .collect();
    let mut look = |source: Source, at: usize| {
        if let Source::Step { step, output } = source
            && let Some(end) = ends.get_mut(step).and_then(|ends| ends.get_mut(output))
        {
            *end = at.max(*end);
        }
    };
    for (at, step) in plan.steps.iter().enumerate() {
        for (source, _) in step.inputs.iter().flatten() {
            look(*source, at);
        }
    }
    for output in &plan.outputs {
        look(output.source, usize::MAX);
    }
    ends
}

//! Slots in pages: a slot never moves, growing never copies, and a freed slot is used again.

/// Slots per page.
const PAGE: usize = 1024;

#[derive(Debug)]
pub(super) struct Slab<T> {
    pages: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
    len: usize,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self {
            pages: Vec::new(),
            free: Vec::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let (page, at) = locate(slot)?;
        self.pages.get(page)?.get(at)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let (page, at) = locate(slot)?;
        self.pages.get_mut(page)?.get_mut(at)?.as_mut()
    }

    /// Puts `value` into a free slot; `None` when there are 2^32 already.
    pub(super) fn insert(&mut self, value: T) -> Option<u32> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.grow()?,
        };
        let (page, at) = locate(slot)?;
        *self.pages.get_mut(page)?.get_mut(at)? = Some(value);
        self.len = self.len.saturating_add(1);
        Some(slot)
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let (page, at) = locate(slot)?;
        let value = self.pages.get_mut(page)?.get_mut(at)?.take()?;
        self.free.push(slot);
        self.len = self.len.saturating_sub(1);
        Some(value)
    }

    /// One more slot at the end.
    fn grow(&mut self) -> Option<u32> {
        if self.pages.last().is_none_or(|page| page.len() == PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        let full_pages = self.pages.len().checked_sub(1)?;
        let page = self.pages.last_mut()?;
        let slot = u32::try_from(full_pages.checked_mul(PAGE)?.checked_add(page.len())?).ok()?;
        page.push(None);
        Some(slot)
    }
}

fn locate(slot: u32) -> Option<(usize, usize)> {
    let slot = usize::try_from(slot).ok()?;
    Some((slot.checked_div(PAGE)?, slot.checked_rem(PAGE)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_used_again_and_pages_hold_together() {
        let mut slab = Slab::new();
        let slots: Vec<u32> = (0..3000).map(|value| slab.insert(value).unwrap()).collect();
        assert_eq!(slab.len(), 3000);
        assert_eq!(slab.remove(slots[1500]), Some(1500));
        assert_eq!(slab.remove(slots[1500]), None);
        assert_eq!(slab.insert(9), Some(slots[1500]));
        assert_eq!(slab.get(slots[2999]), Some(&2999));
        *slab.get_mut(slots[0]).unwrap() = 5;
        assert_eq!(slab.get(slots[0]), Some(&5));
    }
}

//! Numbered places for sessions and listeners.

/// Places keep their number for as long as they are taken.
pub(super) struct Slots<T> {
    places: Vec<Option<Box<T>>>,
    free: Vec<u32>,
    len: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Slots<T> {
    pub(super) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if let Some(slot) = self.free.pop() {
            self.places[slot as usize] = Some(Box::new(value));
            return slot;
        }
        self.places.push(Some(Box::new(value)));
        (self.places.len() - 1) as u32
    }

    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.places.get(slot as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.places.get_mut(slot as usize)?.as_deref_mut()
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<Box<T>> {
        let value = self.places.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        self.len -= 1;
        Some(value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The places of those for which `wanted` holds.
    pub(super) fn find(&self, wanted: impl Fn(&T) -> bool) -> Vec<u32> {
        let taken = self.places.iter().enumerate();
        let matching = taken.filter(|(_, place)| place.as_deref().is_some_and(&wanted));
        matching.map(|(slot, _)| slot as u32).collect()
    }
}

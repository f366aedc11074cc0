//! A map that forgets its oldest entries, so that memory does not grow with the stream.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

#[derive(Debug)]
pub struct Window<T> {
    entries: HashMap<Rc<str>, T>,
    age: VecDeque<Rc<str>>,
    size: usize,
    /// How many entries were dropped before anybody removed them.
    pub forgotten: usize,
}

impl<T> Window<T> {
    pub fn new(size: usize) -> Self {
        Self { entries: HashMap::new(), age: VecDeque::new(), size, forgotten: 0 }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn get(&self, id: &str) -> Option<&T> {
        self.entries.get(id)
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.entries.get_mut(id)
    }

    pub fn insert(&mut self, id: &Rc<str>, value: T) {
        if self.entries.insert(Rc::clone(id), value).is_none() {
            self.age.push_back(Rc::clone(id));
        }
        // Removed entries leave their id in the queue, so that its length is what must be bounded.
        while self.age.len() > self.size {
            if let Some(oldest) = self.age.pop_front() {
                self.forgotten += usize::from(self.entries.remove(&oldest).is_some());
            }
        }
    }

    pub fn remove(&mut self, id: &str) -> Option<T> {
        self.entries.remove(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_the_oldest() {
        let mut window = Window::new(100);
        for number in 0..=100 {
            window.insert(&Rc::from(number.to_string()), number);
        }
        assert!(window.get("0").is_none() && window.get("1").is_some());
        assert_eq!((window.len(), window.forgotten), (100, 1));
        assert_eq!((window.remove("1"), window.len()), (Some(1), 99));
    }
}

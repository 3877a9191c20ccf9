//! At most a tenth of the calls of a lane are repeats.

/// Repeats that are free at the start: a small order must get over a hiccup.
const AT_FIRST: f64 = 10.0;
const MOST: f64 = 100.0;
const PER_CALL: f64 = 0.1;

/// A purse that every call fills a little, and every repeat empties by one.
#[derive(Debug)]
pub(super) struct Retries(f64);

impl Retries {
    pub(super) fn new() -> Self {
        Self(AT_FIRST)
    }

    pub(super) fn called(&mut self) {
        self.0 = (self.0 + PER_CALL).min(MOST);
    }

    pub(super) fn draw(&mut self) -> bool {
        let enough = self.0 >= 1.0;
        if enough {
            self.0 -= 1.0;
        }
        enough
    }
}

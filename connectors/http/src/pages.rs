//! A walk over pages that ends.

use std::collections::HashSet;

use rescind_core::error::{Error, ErrorKind, Retry};
use url::Url;

use crate::base_url::BaseUrl;

/// Follows a vendor's next links within one origin, never the same one twice, and not for ever.
#[derive(Debug)]
pub struct Pages<'a> {
    base: &'a BaseUrl,
    operation: &'static str,
    seen: HashSet<Url>,
    limit: usize,
}

impl<'a> Pages<'a> {
    /// A walk that begins at `first` and has at most `limit` pages.
    pub fn new(base: &'a BaseUrl, operation: &'static str, first: &Url, limit: usize) -> Self {
        Self {
            base,
            operation,
            seen: HashSet::from([first.clone()]),
            limit,
        }
    }

    /// The page after this one; `None` when the vendor names no further.
    ///
    /// # Errors
    /// When the link leaves the origin, repeats, or the walk is longer than its limit: an incomplete list is never
    /// taken for a whole one.
    pub fn follow(&mut self, link: Option<&str>) -> Result<Option<Url>, Error> {
        let Some(link) = link else { return Ok(None) };
        let url = self.base.follow(self.operation, link)?;
        self.note(url).map(Some)
    }

    /// Notes a page whose URL the caller built itself, from a page token.
    ///
    /// # Errors
    /// When it repeats, or the walk is longer than its limit.
    pub fn note(&mut self, url: Url) -> Result<Url, Error> {
        if self.seen.len() >= self.limit {
            return Err(self.broken(format!("the list has more than {} pages", self.limit)));
        }
        if !self.seen.insert(url.clone()) {
            return Err(self.broken("the list leads back to a page that was read already"));
        }
        Ok(url)
    }

    fn broken(&self, message: impl Into<String>) -> Error {
        Error::new(
            ErrorKind::InvalidResponse,
            Retry::Never,
            self.operation,
            message,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_or_an_endless_list_is_an_error() {
        let base = BaseUrl::parse("https://example.com").expect("parses");
        let first = base.at("/list").build();
        let mut pages = Pages::new(&base, "list", &first, 3);
        assert_eq!(pages.follow(None).expect("the end"), None);
        assert!(pages.follow(Some("/list?p=2")).expect("a page").is_some());
        assert!(pages.follow(Some("/list?p=2")).is_err());
        assert!(pages.follow(Some("/list")).is_err());
        assert!(pages.follow(Some("/list?p=3")).expect("a page").is_some());
        assert!(pages.follow(Some("/list?p=4")).is_err());
    }
}

//! Pagination of lists.

/// The maximum number of items of a page: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u8);

impl PageSize {
    /// The page size when a request names none.
    pub const DEFAULT: Self = Self(20);

    /// The largest page size.
    pub const LARGEST: Self = Self(100);

    /// `None` outside 1 to 100.
    pub fn new(size: i64) -> Option<Self> {
        u8::try_from(size).ok().filter(|size| (1..=100).contains(size)).map(Self)
    }

    /// The number.
    pub fn get(self) -> usize {
        self.0.into()
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, P> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The position of the last item, if another page may follow.
    pub next: Option<P>,
}

impl<T, P> Page<T, P> {
    /// The page with `change` applied to each item.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U, P> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_are_1_to_100() {
        for (size, fits) in [(0, false), (1, true), (100, true), (101, false), (-1, false), (i64::MAX, false)]
        {
            assert_eq!(PageSize::new(size).is_some(), fits, "{size}");
        }
    }

    #[test]
    fn a_page_size_is_kept() {
        assert_eq!(PageSize::new(37).map(PageSize::get), Some(37));
    }
}

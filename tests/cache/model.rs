//! The simulation has the scripts in Rust; here both carry out the same random steps.

use crate::{Cache, Version};
use domain::product::PageVersion;
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use std::cell::RefCell;
use tests::pages::CachedPage;

#[derive(Debug, Clone)]
enum Step {
    Fill(u64, u64),
    Invalidate(u64, u64),
    Put { product: u64, stock: u64, place: u64, has_page: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..4_u64, 1..4_u64).prop_map(|(product, stock)| Step::Fill(product, stock)),
        (1..4_u64, 1..4_u64).prop_map(|(product, stock)| Step::Invalidate(product, stock)),
        (1..4_u64, 1..4_u64, 1..5_u64, prop::bool::weighted(0.8))
            .prop_map(|(product, stock, place, has_page)| Step::Put { product, stock, place, has_page }),
    ];
    vec(step, 1..12)
}

#[test]
fn the_simulated_cache_does_what_the_scripts_do() {
    let cache = RefCell::new(Cache::new());
    let same = |steps: Vec<Step>| {
        let (mut cache, mut model) = (cache.borrow_mut(), CachedPage::default());
        cache.clear();
        for (index, step) in steps.into_iter().enumerate() {
            let page = format!("page {index}");
            let (real, simulated) = match step {
                Step::Fill(product, stock) => (
                    cache.fill(Version { product, stock }, &page),
                    model.fill(PageVersion { product, stock }, &page),
                ),
                Step::Invalidate(product, stock) => (
                    cache.invalidate(Version { product, stock }),
                    model.invalidate(PageVersion { product, stock }),
                ),
                Step::Put { product, stock, place, has_page } => {
                    let page = if has_page { page } else { String::new() };
                    (
                        cache.put(place, Version { product, stock }, &page),
                        model.put(PageVersion { product, stock }, &format!("{place:040}"), &page),
                    )
                }
            };
            prop_assert_eq!(real, simulated);
            let page = cache.page();
            prop_assert_eq!(page.as_deref(), model.page());
        }
        Ok(())
    };
    TestRunner::deterministic().run(&steps(), same).unwrap();
}

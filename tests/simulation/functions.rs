//! The functions under simulation, from their own files.

use crate::Exit;

macro_rules! functions {
    ($($module:ident, $name:literal, $path:literal;)+) => {
        $(
            #[path = $path]
            mod $module;
        )+

        /// The `main` of each function, by the name of its crate.
        pub const FUNCTIONS: &[(&str, fn() -> Exit)] = &[$(($name, $module::load)),+];
    };
}

functions! {
    band_get, "band-get", "../../functions/band-get/src/main.rs";
    band_prepare, "band-prepare", "../../functions/band-prepare/src/main.rs";
    cache_warm, "cache-warm", "../../functions/cache-warm/src/main.rs";
    concert_create, "concert-create", "../../functions/concert-create/src/main.rs";
    concert_get, "concert-get", "../../functions/concert-get/src/main.rs";
    concert_prepare, "concert-prepare", "../../functions/concert-prepare/src/main.rs";
    concert_publish, "concert-publish", "../../functions/concert-publish/src/main.rs";
    concert_sweep, "concert-sweep", "../../functions/concert-sweep/src/main.rs";
    concert_undo, "concert-undo", "../../functions/concert-undo/src/main.rs";
    order_cancel, "order-cancel", "../../functions/order-cancel/src/main.rs";
    order_confirm, "order-confirm", "../../functions/order-confirm/src/main.rs";
    order_place, "order-place", "../../functions/order-place/src/main.rs";
    order_sweep, "order-sweep", "../../functions/order-sweep/src/main.rs";
    order_undo, "order-undo", "../../functions/order-undo/src/main.rs";
    payment_authorize, "payment-authorize", "../../functions/payment-authorize/src/main.rs";
    payment_capture, "payment-capture", "../../functions/payment-capture/src/main.rs";
    payment_poll, "payment-poll", "../../functions/payment-poll/src/main.rs";
    payment_webhook, "payment-webhook", "../../functions/payment-webhook/src/main.rs";
    product_delete, "product-delete", "../../functions/product-delete/src/main.rs";
    product_get, "product-get", "../../functions/product-get/src/main.rs";
    product_hide, "product-hide", "../../functions/product-hide/src/main.rs";
    product_purge, "product-purge", "../../functions/product-purge/src/main.rs";
    product_sweep, "product-sweep", "../../functions/product-sweep/src/main.rs";
    product_update, "product-update", "../../functions/product-update/src/main.rs";
    rating_average, "rating-average", "../../functions/rating-average/src/main.rs";
    review_create, "review-create", "../../functions/review-create/src/main.rs";
    review_delete, "review-delete", "../../functions/review-delete/src/main.rs";
    review_purge, "review-purge", "../../functions/review-purge/src/main.rs";
    review_update, "review-update", "../../functions/review-update/src/main.rs";
    stock_reserve, "stock-reserve", "../../functions/stock-reserve/src/main.rs";
    venue_get, "venue-get", "../../functions/venue-get/src/main.rs";
    venue_prepare, "venue-prepare", "../../functions/venue-prepare/src/main.rs";
}

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
    order_cancel, "order-cancel", "../../functions/order-cancel/src/main.rs";
    order_confirm, "order-confirm", "../../functions/order-confirm/src/main.rs";
    order_place, "order-place", "../../functions/order-place/src/main.rs";
    order_sweep, "order-sweep", "../../functions/order-sweep/src/main.rs";
    order_undo, "order-undo", "../../functions/order-undo/src/main.rs";
    payment_authorize, "payment-authorize", "../../functions/payment-authorize/src/main.rs";
    payment_capture, "payment-capture", "../../functions/payment-capture/src/main.rs";
    payment_webhook, "payment-webhook", "../../functions/payment-webhook/src/main.rs";
    stock_reserve, "stock-reserve", "../../functions/stock-reserve/src/main.rs";
}

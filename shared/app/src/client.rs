//! The `Client` trait, and the macro by which a function declares its clients.

use crate::context::Context;
use domain::Error;

/// A typed client of one part of the system, such as the table, the cache or a state machine.
pub trait Client: Sized {
    /// The settings and access patterns that the client needs from the template.
    const NEEDS: Needs;

    /// Creates the client in the init phase. Sends no request, and leaves expensive work to the first use.
    fn new(context: &Context) -> Result<Self, Error>;
}

/// The settings and access patterns that a client needs from the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The environment variables that the client reads.
    pub settings: &'static [&'static str],
    /// The methods of `table::Table` that the client itself calls.
    pub operations: &'static [&'static str],
}

/// Declares the clients of a function: `app::clients! { table: Table, cache: Cache }` defines the type `App` with these
/// fields, and implements `runtime::Application` for it. `App` dereferences to [`Context`] for time and random values.
#[macro_export]
macro_rules! clients {
    ($($name:ident: $client:ty),+ $(,)?) => {
        /// The clients of this function.
        pub struct App {
            context: $crate::Context,
            $(
                #[doc = stringify!($client)]
                pub $name: $client,
            )+
        }

        impl App {
            /// Creates the clients.
            pub fn new(context: $crate::Context) -> Result<Self, $crate::expansion::Error> {
                Ok(Self { $($name: <$client as $crate::Client>::new(&context)?,)+ context })
            }
        }

        impl ::std::ops::Deref for App {
            type Target = $crate::Context;

            fn deref(&self) -> &$crate::Context {
                &self.context
            }
        }

        impl ::runtime::Application for App {
            fn start() -> Result<Self, $crate::expansion::Error> {
                Self::new($crate::Context::of_process()?)
            }

            fn now(&self) -> $crate::expansion::Timestamp {
                self.context.now()
            }

            fn take_units(&self) -> $crate::expansion::Units {
                self.context.take_units()
            }

            fn take_noted(
                &self,
            ) -> Option<($crate::expansion::SecurityEvent, $crate::expansion::Subject)> {
                self.context.take_noted()
            }

            fn prime(&self) -> impl Future<Output = ()> {
                self.context.prime()
            }
        }
    };
}

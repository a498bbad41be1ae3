//! Plays Lambda: the functions' `main` hands its handler to this module, which invokes it.

use crate::{functions::FUNCTIONS, network, simulation};
use clients_of_functions::{Context, context::Host, settings::Settings};
use domain::{Error, Timestamp};
use futures::{FutureExt, future::LocalBoxFuture};
use lambda_shell::{Application, DeadLetter, Exit, Selected, StepFailure, step_result, work_through};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{cell::RefCell, collections::HashMap, hash::Hash, rc::Rc, sync::Arc};
use table::{StreamChange, StreamRecord};
use tests::TABLE_NAME;
use web::{Problem, Request, Response};

/// What a function is invoked with.
pub enum Event {
    /// An HTTP request.
    Http(Box<Request>),
    /// The input of a step.
    Step(Value),
    /// Records of the table's stream.
    Records(Vec<Value>),
}

/// What a function answers.
pub enum Output {
    /// An HTTP response.
    Http(Box<Response>),
    /// The output of a step.
    Step(Value),
    /// The sequence number of the first record that failed.
    Records(Option<String>),
}

/// An error of a function or of Lambda, as a state machine receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The name, which `Retry` and `Catch` match.
    pub error: String,
    /// The cause; a function's own errors are JSON.
    pub cause: String,
}

/// The result of an invocation.
pub type Invoked = Result<Output, Failed>;

/// A function that is ready for events.
pub type Handler = Rc<dyn Fn(Event) -> LocalBoxFuture<'static, Invoked>>;

/// Creates the clients of a function: the init phase.
type Start = Box<dyn FnOnce(Context) -> Handler>;

/// After this number of retries by the AWS clients, new clients are created. A client's retries cost tokens of its
/// quota (500), and a run must not depend on the runs before it.
const RETRIES_OF_CLIENTS: u32 = 20;

thread_local! {
    /// What the `main` that is being called has registered.
    static REGISTERED: RefCell<Option<Start>> = const { RefCell::new(None) };
    /// The functions of this thread. Their clients live as long as the process, as on Lambda.
    static WARM: RefCell<HashMap<&'static str, Handler>> = RefCell::default();
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// `clients_of_functions::clients!`, and what the simulation needs to start the function.
#[macro_export]
macro_rules! clients {
    ($($clients:tt)+) => {
        ::clients_of_functions::clients! { $($clients)+ }

        impl $crate::lambda::Started for App {
            fn with(context: ::clients_of_functions::Context) -> Self {
                Self::new(context).expect("the simulation has all settings")
            }
        }

        /// Calls the function's `main`.
        pub fn load() -> ::lambda_shell::Exit {
            main()
        }
    };
}

/// The clients of a function, from a context.
pub trait Started {
    /// Creates the clients.
    fn with(context: Context) -> Self;
}

/// Replaces `runtime::serve`.
///
/// # Panics
///
/// When the function is invoked with another event.
pub fn serve<A, H, F>(handler: H) -> Exit
where
    A: Application + Started,
    H: Fn(&'static A, Request) -> F + 'static,
    F: Future<Output = Result<Response, Problem>> + 'static,
{
    register(move |app: &'static A, event| {
        let Event::Http(mut request) = event else { panic!("not a request") };
        request.received_at = app.now();
        let id = request.id.clone();
        let answered = handler(app, *request);
        async move {
            let response = answered.await.unwrap_or_else(|problem| problem.into_response(&id));
            Ok(Output::Http(Box::new(response)))
        }
        .boxed_local()
    })
}

/// Replaces `runtime::step`.
///
/// # Panics
///
/// When the function is invoked with another event.
pub fn step<A, I, O, H, F>(handler: H) -> Exit
where
    A: Application + Started,
    I: DeserializeOwned,
    O: Serialize,
    H: Fn(&'static A, I) -> F + 'static,
    F: Future<Output = Result<O, Error>> + 'static,
{
    register(move |app: &'static A, event| {
        let Event::Step(input) = event else { panic!("not the input of a step") };
        let input = serde_json::from_value(input).unwrap_or_else(|error| panic!("the input: {error}"));
        let output = handler(app, input);
        async move {
            let output = output.await.map(|output| serde_json::to_value(output).unwrap());
            step_result(output.map_err(StepFailure))
                .map(Output::Step)
                .map_err(|failure| Failed::of_function(&failure))
        }
        .boxed_local()
    })
}

/// Replaces `runtime::consume`. No record of a simulation is beyond a retry, so a letter is an error.
///
/// # Panics
///
/// When the function is invoked with another event.
pub fn consume<A, K, W, S, H, F, D, G>(select: S, work: H, _: D) -> Exit
where
    A: Application + Started,
    K: Hash + Eq + Clone + 'static,
    W: 'static,
    S: Fn(&StreamChange) -> Option<(K, W)> + Clone + 'static,
    H: Fn(&'static A, K, Vec<Selected<W>>) -> F + Clone + 'static,
    F: Future<Output = Result<(), Error>> + 'static,
    D: Fn(&'static A, DeadLetter) -> G + 'static,
    G: Future<Output = Result<(), Error>> + 'static,
{
    register(move |app: &'static A, event| {
        let Event::Records(records) = event else { panic!("not records") };
        let records = records.into_iter().map(|record| serde_json::from_value(record).unwrap());
        let records: Vec<StreamRecord> = records.collect();
        let (select, work) = (select.clone(), work.clone());
        async move {
            let done = work_through(records, select, move |key, changes| work(app, key, changes)).await;
            for (_, letter) in done.dead {
                simulation::current().find(format!("records are given up: {letter:?}"));
            }
            Ok(Output::Records(done.failed.map(|failed| failed.number)))
        }
        .boxed_local()
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the functions' main returns it")]
fn register<A: Started + 'static>(
    handle: impl Fn(&'static A, Event) -> LocalBoxFuture<'static, Invoked> + 'static,
) -> Exit {
    let start = move |context: Context| -> Handler {
        let app: &'static A = Box::leak(Box::new(A::with(context)));
        Rc::new(move |event| handle(app, event))
    };
    REGISTERED.with_borrow_mut(|registered| *registered = Some(Box::new(start)));
    Ok(())
}

/// The function of this name.
pub fn function(name: &str) -> Handler {
    if let Some(warm) = WARM.with_borrow(|warm| warm.get(name).cloned()) {
        return warm;
    }
    let (name, main) = FUNCTIONS.iter().find(|(known, _)| *known == name).expect("a simulated function");
    main().expect("the simulation's main does not fail");
    let start = REGISTERED.with_borrow_mut(Option::take).expect("main registers a handler");
    let context = CONTEXT.with_borrow_mut(|kept| kept.get_or_insert_with(context).clone());
    let handler = start(context);
    WARM.with_borrow_mut(|warm| warm.insert(name, Rc::clone(&handler)));
    handler
}

/// Replaces clients that have used up much of their quota. Called between runs.
pub fn renew() {
    if network::retries() > RETRIES_OF_CLIENTS {
        network::forget_retries();
        WARM.with_borrow_mut(HashMap::clear);
        CONTEXT.with_borrow_mut(|context| *context = None);
    }
}

fn context() -> Context {
    let arn = |machine: &str| format!("arn:aws:states:test-1:000000000000:stateMachine:{machine}");
    let settings = [
        ("TABLE_NAME", TABLE_NAME.to_owned()),
        ("VISITOR_SECRET_ARN", "visitors".to_owned()),
        ("CONCERT_CREATE_MACHINE_ARN", arn("concert-create")),
        ("ORDER_PLACE_MACHINE_ARN", arn("order-place")),
        ("ORDER_CANCEL_MACHINE_ARN", arn("order-cancel")),
        ("PRODUCT_DELETE_MACHINE_ARN", arn("product-delete")),
        ("PAYMENTS_SECRET_ARN", "arn".to_owned()),
        ("PAYMENTS_WEBHOOK_SECRET_ARN", "arn".to_owned()),
        ("PAYMENTS_URL", "https://payments.test.example".to_owned()),
        ("CACHE_WARM_FAILED_QUEUE_URL", "https://queues.test.example".to_owned()),
        ("RATING_AVERAGE_FAILED_QUEUE_URL", "https://queues.test.example".to_owned()),
        ("LIMIT_WINDOW_SECONDS", "900".to_owned()),
        ("LIMIT_ORDERS", "1000".to_owned()),
        ("LIMIT_DECLINED", "1000".to_owned()),
        ("LIMIT_CANCELLATIONS", "1000".to_owned()),
        ("LIMIT_PRODUCT_CHANGES", "1000".to_owned()),
        ("LIMIT_CONCERTS", "1000".to_owned()),
        ("LIMIT_REVIEWS", "1000".to_owned()),
        ("SWEEP_AFTER_SECONDS", simulation::SWEEP_AFTER_SECONDS.to_string()),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    let sdk = tests::config(network::http_client(), "https://aws.test.example");
    Context::new(Settings::These(settings), sdk, Arc::new(SimulatedHost)).with_payments(network::connector())
}

/// The simulation's clock, and random bytes that depend on the invocation alone.
struct SimulatedHost;

impl Host for SimulatedHost {
    fn now(&self) -> Timestamp {
        simulation::current().local_time()
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        simulation::current().fill_random(bytes);
        Ok(())
    }

    fn write_line(&self, line: &str) {
        simulation::current().trace().borrow_mut().log(line);
    }
}

impl Failed {
    /// An error of a function, as Lambda reports it.
    fn of_function(failure: &StepFailure) -> Self {
        let cause = json!({"errorMessage": failure.cause(), "errorType": failure.name()});
        Self { error: failure.name().to_owned(), cause: cause.to_string() }
    }

    /// An error of Lambda.
    pub fn of_lambda(error: &str) -> Self {
        Self { error: error.to_owned(), cause: "a fault of the simulation".to_owned() }
    }
}

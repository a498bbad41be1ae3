//! product-sweep: which deletions it goes on with, and how.

use crate::application::{Lines, context_at};
use app::sweep::Swept;
use domain::deletion::{DeletionRun, Run};
use serde_json::{Value, json};
use table::{SweepPosition, keys};
use tests::{
    Fault, World,
    samples::{later, product, product_id, user_id, withdrawal},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/product-sweep/src/main.rs"]
mod function;

/// A product that is hidden, and whose deletion stands still.
struct Stranded {
    world: World,
    app: function::App,
    run: DeletionRun,
}

impl Stranded {
    async fn new() -> Self {
        let (world, run) = (World::new(), withdrawal(product_id(1), 1));
        world.publish(&product(1, 7)).await;
        world.table.hide_product(run).await.unwrap();
        world.wire.take_sent();
        let machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:product-delete";
        let settings = [("PRODUCT_DELETE_MACHINE_ARN", machine)];
        let context = context_at(&world, &settings, later(100_000), &Lines::default());
        let app = function::App::new(context).unwrap();
        Self { world, app, run }
    }

    async fn sweep(&self) -> Result<Swept, domain::Error> {
        function::sweep(&self.app, serde_json::from_value(json!({})).unwrap()).await
    }

    /// The names and inputs of the executions that were started since the last call.
    fn started(&self) -> Vec<(String, DeletionRun)> {
        let sent = self.world.wire.take_sent().into_iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        sent.filter(|sent| sent.operation == "StartExecution")
            .map(|sent| (text(&sent.body["name"]), serde_json::from_str(&text(&sent.body["input"])).unwrap()))
            .collect()
    }

    fn last_run(&self) -> Value {
        self.world.item(&keys::withdrawn(self.run.product_id))["run"]["N"].clone()
    }
}

fn swept(found: usize, settled: usize) -> Swept {
    Swept { found, settled, failed: 0, stuck: 0 }
}

#[tokio::test]
async fn a_deletion_that_nobody_works_on_gets_its_next_run() {
    let stranded = Stranded::new().await;
    for run in [stranded.run.next(), stranded.run.next().next()] {
        assert_eq!(stranded.sweep().await, Ok(swept(1, 1)));
        assert_eq!(stranded.started(), [(run.name(), run)]);
        assert_eq!(stranded.last_run(), run.run.to_string());
    }
    stranded.world.table.purge_product(product_id(1), user_id(7)).await.unwrap();
    assert_eq!(stranded.sweep().await, Ok(swept(0, 0)));
}

#[tokio::test]
async fn a_run_that_is_under_way_is_left_alone() {
    let stranded = Stranded::new().await;
    let running =
        json!({"executionArn": "arn", "stateMachineArn": "arn", "status": "RUNNING", "startDate": 0});
    stranded.world.wire.next("DescribeExecution", [Fault::Answered(running)]);
    assert_eq!(stranded.sweep().await, Ok(swept(1, 0)));
    assert_eq!((stranded.started(), stranded.last_run()), (vec![], json!("0")));
}

/// The function dies after it has started a run: the next sweep starts the same one, which has no effect.
#[tokio::test]
async fn a_run_that_was_started_and_not_recorded_is_started_once() {
    let stranded = Stranded::new().await;
    stranded.world.wire.always("UpdateItem", Fault::Unreachable);
    assert!(crate::is_unavailable(&stranded.sweep().await));
    let first = stranded.started();
    stranded.world.wire.heal();
    let again = "com.amazonaws.swf.service.v2.model#ExecutionAlreadyExists";
    stranded.world.wire.next("StartExecution", [Fault::Refused(again)]);
    assert_eq!(stranded.sweep().await, Ok(swept(1, 1)));
    assert_eq!((stranded.started(), stranded.last_run()), (first, json!("1")));
}

#[tokio::test]
async fn a_deletion_that_fails_does_not_hide_later_ones() {
    let stranded = Stranded::new().await;
    for number in 2..=60 {
        let run = withdrawal(product_id(16 * number), 1);
        let entry = json!({"sellerId": {"S": run.seller_id}, "version": {"N": "1"}, "run": {"N": "0"}});
        stranded.world.put(&keys::withdrawn(run.product_id), &entry);
    }
    let refused = Fault::Refused("com.amazonaws.swf.service.v2.model#InvalidName");
    stranded.world.wire.next("StartExecution", vec![refused; 59]);
    assert!(matches!(stranded.sweep().await, Err(domain::Error::Internal { .. })));
    assert_eq!(stranded.started().len(), 60);
}

#[tokio::test]
async fn the_entry_names_the_last_run_whatever_arrives_late() {
    let stranded = Stranded::new().await;
    let (table, second) = (&stranded.world.table, stranded.run.next().next());
    let begin = table.begin_deletion_run(&second);
    assert_eq!(stranded.world.measure("begin_deletion_run", "", begin).await, Ok(()));
    let late = stranded.run.next();
    let begin = table.begin_deletion_run(&late);
    assert_eq!(stranded.world.measure("begin_deletion_run", "late", begin).await, Ok(()));
    assert_eq!(stranded.last_run(), json!("2"));
    let start = SweepPosition::start();
    let (found, next) = stranded
        .world
        .measure("withdrawn_products", "", table.withdrawn_products(later(100), &start))
        .await
        .unwrap();
    assert_eq!((found, next.is_end()), (vec![second], true));
    table.purge_product(product_id(1), user_id(7)).await.unwrap();
    table.begin_deletion_run(&second.next()).await.unwrap();
    assert_eq!(stranded.world.items().len(), 0, "a late run makes no entry");
}

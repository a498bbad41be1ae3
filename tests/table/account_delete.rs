//! Deleting an account: closing it, erasing what is personal, and the sweep.

use crate::{
    account_support::{PASSWORD, Souk},
    alert::item,
    application::{Lines, context_at},
    order_support::{confirm, payment, placed_by},
};
use domain::{
    Error,
    alert::{Alert, SetAlert},
    deletion::{AccountRun, Run},
    limit::Limit,
    mail_token::TokenUse,
    notification::{Deliveries, Notification},
    review::Review,
    session::RECENT_SECONDS,
    user::{Email, User},
    webhook::Webhook,
};
use serde_json::{Value, json};
use table::{SweepPosition, Watch, Writer, keys};
use tests::{
    Fault, World,
    samples::{account, later, now, once, product, product_id, review, session, stock, user_id, withdrawal},
};

use web::problem::Kind;

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/user-erase/src/main.rs"]
mod eraser;

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/user-sweep/src/main.rs"]
mod sweeper;

const USER: u32 = 5;
const ADDRESS: &str = "ada@example.com";
const NAME: &str = "Ada Lovelace";

const LIMIT: Limit = Limit { name: "user", quota: 50, window_seconds: 900 };
const TOKENS: [TokenUse; 2] = [TokenUse::Verification, TokenUse::PasswordReset];

/// A user who sells a product, has reviewed another one, has bought it, and watches a price.
struct Life {
    world: World,
    user: User,
    email: Email,
}

impl Life {
    async fn new() -> Self {
        let world = World::new();
        let (user, email, credential) = account(USER, ADDRESS);
        let user = User { display_name: NAME.to_owned(), ..user };
        world.table.register(&user, &email, &credential).await.unwrap();
        world.table.create_session(&session(USER, 1).0).await.unwrap();
        let mut own = product(1, USER);
        own.seller_name = Some(NAME.to_owned());
        let answer =
            domain::idempotency::StoredResponse { status: 201, headers: Vec::new(), body: NAME.to_owned() };
        world.table.create_product(&own, stock(3), Some((&once("k", 1), &answer))).await.unwrap();
        world.publish(&product(2, 7)).await;
        let confirmed = confirm(&world, &placed_by(USER, 1, &[(2, 1)]), &payment(1)).await;
        world.table.record_purchases(&confirmed.request(), now()).await.unwrap();
        let author_name = Some(NAME.to_owned());
        let review = Review {
            author_id: user.user_id,
            author_name,
            verified_purchase: true,
            ..review(product_id(2), 1)
        };
        world.table.admit_review(user.user_id, product_id(2), LIMIT, later(1)).await.unwrap();
        world.table.create_review(&review, None, Writer([1; 16])).await.unwrap();
        for good_for in TOKENS {
            world.table.issue_mail_token(good_for, user.user_id, &[1; 32], now()).await.unwrap();
        }
        let watched = item(1, 1000);
        world.table.create_watched_item(&watched).await.unwrap();
        let alerts = SetAlert::replace(&[], &[Alert::Any], &watched);
        let watch = Watch::new(watched.item_id, alerts, now());
        world.table.create_watch(user.user_id, &watch).await.unwrap();
        let told = Notification::webhook_disabled("https://ada.com/hook".to_owned(), now());
        world.table.create_notification(user.user_id, &told, Deliveries::default()).await.unwrap();
        let webhook = Webhook::new("https://ada.com/hook".to_owned(), now());
        world.table.put_webhook(user.user_id, &webhook, &[7; 32]).await.unwrap();
        world.measured();
        Self { world, user, email }
    }

    async fn closed() -> Self {
        let life = Self::new().await;
        life.world.table.close_account(&life.user, &life.email).await.unwrap();
        life
    }

    fn app(&self) -> eraser::App {
        let machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:product-delete";
        let settings = [("PRODUCT_DELETE_MACHINE_ARN", machine)];
        eraser::App::new(context_at(&self.world, &settings, later(9), &Lines::default())).unwrap()
    }

    async fn erase(&self, late: bool) -> Result<bool, Error> {
        let input = serde_json::from_value(json!({"userId": self.user.user_id, "late": late})).unwrap();
        eraser::erase(&self.app(), input).await.map(|output| output.more)
    }

    /// Both phases of the machine, and what product-delete does.
    async fn erase_all(&self) {
        for late in [false, true] {
            while self.erase(late).await.unwrap() {}
        }
        self.world.table.purge_product(product_id(1), self.user.user_id).await.unwrap();
    }

    /// The items that are left, without their versions, because a step that runs twice makes two versions. Counters of
    /// categories without products are left out: the execution that hides a product deletes them, and it is not run here.
    fn left(&self) -> Vec<Value> {
        let mut items = self.world.items();
        items.retain(|item| item["products"]["N"] != "0");
        for item in &mut items {
            item.as_object_mut().unwrap().remove("version");
        }
        items
    }

    /// The items in which the address or the name occurs.
    fn personal(&self) -> Vec<Value> {
        let names = |item: &Value| item.to_string().contains(ADDRESS) || item.to_string().contains(NAME);
        self.world.items().into_iter().filter(names).collect()
    }
}

#[tokio::test]
async fn a_closed_account_has_no_credential_and_no_profile_and_its_address_is_free() {
    let Life { world, user, email } = Life::new().await;
    let close = world.table.close_account(&user, &email);
    world.measure("close_account", "", close).await.unwrap();
    assert_eq!(world.table.credential(&email).await, Ok(None));
    let name = world.table.display_name(user.user_id);
    assert_eq!(world.measure("display_name", "of a closed account", name).await, Ok(None));
    let close = world.table.close_account(&user, &email);
    world.measure("close_account", "closed before", close).await.unwrap();

    let (other, email, credential) = account(6, ADDRESS);
    world.table.register(&other, &email, &credential).await.unwrap();
    world.table.close_account(&user, &email).await.unwrap();
    assert_eq!(world.table.credential(&email).await, Ok(Some(credential)), "the account of somebody else");
    let name = world.table.display_name(other.user_id);
    assert_eq!(world.measure("display_name", "", name).await, Ok(Some(other.display_name)));
}

#[tokio::test]
async fn nothing_personal_is_left_and_what_others_need_is() {
    let life = Life::closed().await;
    assert!(!life.personal().is_empty());
    life.erase_all().await;
    assert_eq!(life.personal(), [] as [Value; 0]);
    let kept: Vec<_> =
        life.world.items().iter().map(|item| item["sk"]["S"].as_str().unwrap().to_owned()).collect();
    for kind in ["ORDER#", "REVIEW#"] {
        assert!(kept.iter().any(|sk| sk.starts_with(kind)), "{kept:?}");
    }
    for kind in ["PROFILE", "CREDENTIAL", "IDEMPOTENCY#product-create", "WATCH#", "TOKENS"] {
        assert!(!kept.iter().any(|sk| sk.starts_with(kind)), "{kept:?}");
    }
    let review = life.world.table.review(product_id(2), life.user.user_id).await.unwrap();
    assert_eq!((review.author_name, review.verified_purchase), (None, true));
    assert_eq!(life.world.item(&keys::closed(life.user.user_id)), Value::Null);
}

/// The items of the user's partition that a later feature adds are erased as well.
#[tokio::test]
async fn the_whole_partition_of_the_user_is_erased_but_for_the_orders() {
    let life = Life::closed().await;
    let pk = keys::user_partition(life.user.user_id);
    for number in 0..130 {
        for kind in ["ALERT", "WEBHOOK"] {
            life.world.put(&keys::Key { pk: pk.clone(), sk: format!("{kind}#{number}") }, &json!({}));
        }
    }
    life.erase_all().await;
    let left: Vec<_> = life.world.items().into_iter().filter(|item| item["pk"]["S"] == pk).collect();
    assert!(left.iter().all(|item| item["sk"]["S"].as_str().unwrap().starts_with("ORDER#")), "{left:?}");
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn records_are_deleted_and_products_are_left_to_their_withdrawal() {
    let life = Life::closed().await;
    let (table, user) = (&life.world.table, life.user.user_id);
    assert_eq!(table.delete_records(user).await, Ok(false));
    assert_eq!(table.sellers_products(user).await, Ok(vec![product_id(1)]));
}

#[tokio::test]
async fn two_executions_at_once_erase_the_same() {
    let well = Life::closed().await;
    well.erase_all().await;
    let life = Life::closed().await;
    for late in [false, true] {
        let (first, second) = futures::join!(life.erase(late), life.erase(late));
        // A product that is hidden at the same time is retried.
        assert!(first.is_ok() || second.is_ok());
    }
    life.erase_all().await;
    assert_eq!(life.left(), well.left());
}

/// A mail may be sent while the account is closed, by a function that has read the profile before.
#[tokio::test]
async fn tokens_of_mails_are_deleted_with_the_account_and_again_at_the_end() {
    let life = Life::closed().await;
    let user = life.user.user_id;
    let token = |good_for| life.world.item(&keys::mail_tokens(good_for, user));
    assert!(TOKENS.iter().all(|good_for| token(*good_for).is_null()));
    life.world.table.issue_mail_token(TOKENS[1], user, &[2; 32], now()).await.unwrap();
    let delete = life.world.table.delete_mail_tokens(user);
    life.world.measure("delete_mail_tokens", "", delete).await.unwrap();
    assert!(token(TOKENS[1]).is_null());
}

#[tokio::test]
async fn a_deleted_account_has_no_sessions_no_log_in_and_no_way_back() {
    let souk = Souk::with_account().await;
    souk.log_in(PASSWORD).await.unwrap();
    let user = souk.credential().await.user_id;
    souk.ask_for_reset(ADDRESS).await;
    let reset = souk.mails().await[0].token("password-reset");
    let wrong = souk.delete(user, "not the password").await.unwrap_err();
    assert_eq!((wrong.kind, souk.open_sessions()), (Kind::Forbidden, 1));
    assert_eq!(souk.delete(user, PASSWORD).await.unwrap().status, 204);
    assert_eq!(souk.open_sessions(), 0);
    assert!(souk.log_in(PASSWORD).await.is_err());
    assert!(souk.reset(&reset, "another new password", now()).await.is_err());
    assert_eq!(souk.delete(user, PASSWORD).await.unwrap().status, 204, "a repeated request");
    souk.register(ADDRESS, PASSWORD).await;
    assert_ne!(souk.credential().await.user_id, user, "the address is free");
}

#[tokio::test]
async fn for_ten_minutes_after_a_log_in_a_deletion_needs_no_password() {
    let souk = Souk::with_account().await;
    souk.log_in(PASSWORD).await.unwrap();
    let user = souk.credential().await.user_id;
    let late = now().plus_seconds(RECENT_SECONDS);
    let stale = souk.delete_at(user, json!({}), late).await.unwrap_err();
    assert_eq!((stale.kind, souk.open_sessions()), (Kind::Forbidden, 1));
    assert_eq!(souk.delete_at(user, json!({}), late.minus_seconds(1)).await.unwrap().status, 204);
    assert_eq!(souk.open_sessions(), 0);
    assert!(souk.log_in(PASSWORD).await.is_err());
}

/// user-delete may die between any two requests. The next request goes on, as long as its access token is good.
#[tokio::test]
async fn a_request_for_deletion_that_dies_anywhere_is_completed_by_the_next_one() {
    let after = ["TransactWriteItems", "Query", "BatchWriteItem", "StartExecution"];
    for operation in after {
        for (what, fault) in [("not sent", Fault::Unreachable), ("answer lost", Fault::AnswerLost)] {
            let souk = Souk::with_account().await;
            souk.log_in(PASSWORD).await.unwrap();
            let user = souk.credential().await.user_id;
            souk.world.wire.always(operation, fault);
            let first = souk.delete(user, PASSWORD).await;
            assert!(first.is_err(), "{operation} {what}");
            souk.world.wire.heal();
            souk.world.wire.take_sent();
            assert_eq!(souk.delete(user, PASSWORD).await.unwrap().status, 204, "{operation} {what}");
            let started = souk.world.wire.take_sent().iter().any(|sent| sent.operation == "StartExecution");
            assert!(started && souk.open_sessions() == 0, "{operation} {what}");
            assert!(!souk.world.item(&keys::closed(user)).is_null(), "{operation} {what}");
        }
    }
}

/// The function fails at any request, before it or after it was carried out; the machine or the sweep repeats it.
#[tokio::test]
async fn a_deletion_that_dies_anywhere_is_completed_by_the_next_attempt() {
    let well = Life::closed().await;
    well.erase_all().await;
    let operations =
        ["GetItem", "Query", "UpdateItem", "TransactWriteItems", "BatchWriteItem", "StartExecution"];
    for operation in operations {
        for (what, fault) in [("not sent", Fault::Unreachable), ("answer lost", Fault::AnswerLost)] {
            for before in 0..9 {
                let life = Life::closed().await;
                let as_it_is = Fault::Altered(std::sync::Arc::new(|_| {}));
                life.world.wire.next(operation, vec![as_it_is; before]);
                life.world.wire.next(operation, vec![fault.clone(); 3]);
                let mut failed = false;
                for late in [false, true] {
                    failed |= life.erase(late).await.is_err();
                }
                life.world.wire.heal();
                life.erase_all().await;
                assert_eq!(life.left(), well.left(), "{operation} {before} {what}");
                if !failed {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn pages_and_the_end_of_a_deletion() {
    let life = Life::closed().await;
    let (table, user) = (&life.world.table, life.user.user_id);
    let products = life.world.measure("sellers_products", "", table.sellers_products(user)).await;
    assert_eq!(products, Ok(vec![product_id(1)]));
    life.world.measure("unlist_product", "", table.unlist_product(user, product_id(1))).await.unwrap();
    assert_eq!(table.sellers_products(user).await, Ok(vec![]));
    let records = life.world.measure("delete_records", "four", table.delete_records(user)).await;
    assert_eq!(records, Ok(false));
    let records = life.world.measure("delete_records", "none", table.delete_records(user)).await;
    assert_eq!(records, Ok(false));
    let finish = table.finish_account_deletion(user);
    life.world.measure("finish_account_deletion", "", finish).await.unwrap();
    let late = AccountRun::first(user).next();
    table.begin_account_run(&late).await.unwrap();
    assert!(life.world.item(&keys::closed(user)).is_null(), "a late run makes no entry");
}

/// A product that is hidden already is the work of product-sweep.
#[tokio::test]
async fn a_product_that_is_hidden_already_is_taken_from_the_list() {
    let life = Life::closed().await;
    let run = domain::deletion::DeletionRun { seller_id: life.user.user_id, ..withdrawal(product_id(1), 1) };
    life.world.table.hide_product(run).await.unwrap();
    life.world.wire.take_sent();
    assert_eq!(life.erase(false).await, Ok(true));
    let started = life.world.wire.take_sent().iter().any(|sent| sent.operation == "StartExecution");
    assert!(!started);
    assert_eq!(life.erase(false).await, Ok(false));
}

#[tokio::test]
async fn the_sweep_starts_the_next_run_of_a_deletion_that_nobody_works_on() {
    let life = Life::closed().await;
    let machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:user-delete";
    let settings = [("USER_DELETE_MACHINE_ARN", machine)];
    let context = context_at(&life.world, &settings, later(9), &Lines::default());
    let app = sweeper::App::new(context).unwrap();
    let sweep = async || sweeper::sweep(&app, serde_json::from_value(json!({})).unwrap()).await.unwrap();
    let first = AccountRun::first(user_id(USER));
    for run in [first.next(), first.next().next()] {
        life.world.wire.take_sent();
        assert_eq!(sweep().await.settled, 1);
        let sent = life.world.wire.take_sent();
        let started = sent.iter().find(|sent| sent.operation == "StartExecution").unwrap();
        assert_eq!(started.body["name"], run.name());
    }
    let running =
        json!({"executionArn": "arn", "stateMachineArn": "arn", "status": "RUNNING", "startDate": 0});
    life.world.wire.next("DescribeExecution", [Fault::Answered(running)]);
    let swept = sweep().await;
    assert_eq!((swept.found, swept.settled), (1, 0));

    let start = SweepPosition::start();
    let closed = life.world.table.closed_accounts(later(9), &start);
    let (found, next) = life.world.measure("closed_accounts", "", closed).await.unwrap();
    assert_eq!((found, next.is_end()), (vec![first.next().next()], true));
    let begin = life.world.table.begin_account_run(&first);
    life.world.measure("begin_account_run", "late", begin).await.unwrap();
    let third = first.next().next().next();
    let begin = life.world.table.begin_account_run(&third);
    life.world.measure("begin_account_run", "", begin).await.unwrap();
}

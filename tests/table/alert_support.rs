//! alert-send on a table, with its queue, the queue of mails, and a host that takes the calls of webhooks.

use crate::{
    account_support::mail_send,
    alert::{dollars, item, item_id, page},
    application::context_from,
    webhook_host::WebhookHost,
};
use app::alerts::AlertTask;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use domain::{
    Error,
    alert::{Alert, AlertKind, PriceChanged, SetAlert},
    mail::QueuedMail,
    notification::{Notification, NotificationKind},
    observation::Availability,
    page::PageSize,
    watched_item::WatchedItem,
    webhook::Webhook,
};
use serde_json::Value;
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::pin,
    task::Poll,
};
use table::Watch;
use tests::{
    World,
    samples::{account, later, now, user_id},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/alert-send/src/main.rs"]
pub mod function;

/// A world with an item, the queue of alerts and that of mails.
pub struct Market {
    pub world: World,
    pub host: WebhookHost,
    /// The messages that are waiting, with the time in seconds at which they are delivered.
    pub alerts: RefCell<Vec<(u64, AlertTask)>>,
    pub mails: RefCell<Vec<QueuedMail>>,
    /// What was mailed.
    pub sent: RefCell<Vec<Value>>,
    random: Cell<u8>,
    /// The latest time in seconds at which something was worked off.
    pub time: Cell<u64>,
}

impl Market {
    pub async fn open() -> Self {
        let (world, host) = (World::new(), WebhookHost::start().await);
        world.table.create_watched_item(&item(1, 1000)).await.unwrap();
        let (alerts, mails, sent) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { world, host, alerts, mails, sent, random: Cell::new(0), time: Cell::new(0) }
    }

    pub fn context(&self, seconds: u64) -> app::Context {
        self.random.set(self.random.get().wrapping_add(40));
        let settings = [
            ("ALERT_QUEUE_URL", "https://sqs.test.example/alerts"),
            ("MAIL_QUEUE_URL", "https://sqs.test.example/mails"),
            ("MAIL_FROM", "souk@souk.example"),
            ("PUBLIC_URL", "https://souk.example"),
            ("CRAWL_ALLOW", &self.host.authority()),
            ("CRAWL_USER_AGENT", "SoukPriceWatch/1 (+https://souk.example)"),
        ];
        let context = context_from(&self.world, &settings, later(seconds), self.random.get());
        context.with_mail(SharedHttpConnector::new(self.world.wire.clone()))
    }

    pub async fn watch(&self, number: u32, alerts: &[Alert]) {
        let (user, email, credential) = account(number, &format!("user{number}@example.com"));
        let user = domain::user::User { verified_at: Some(now()), ..user };
        self.world.table.register(&user, &email, &credential).await.unwrap();
        self.watch_only(number, alerts).await;
    }

    /// Without an account, as far as mails are concerned.
    pub async fn watch_only(&self, number: u32, alerts: &[Alert]) {
        let item = self.world.table.watched_item(item_id(1)).await.unwrap();
        let watch = Watch::new(item_id(1), SetAlert::replace(&[], alerts, &item), now());
        self.world.table.create_watch(user_id(number), &watch).await.unwrap();
    }

    /// Looks at the page this number of seconds later, finds this, and stores it. Returns the change.
    pub async fn look(&self, seconds: u64, amount: Option<i64>, availability: Availability) -> PriceChanged {
        let (change, seen, next) = self.find(seconds, amount, availability).await;
        assert_eq!(self.world.table.replace_watched_item(&seen, &next).await, Ok(true));
        change
    }

    pub async fn find(
        &self,
        seconds: u64,
        amount: Option<i64>,
        availability: Availability,
    ) -> (PriceChanged, WatchedItem, WatchedItem) {
        let seen = self.world.table.watched_item(item_id(1)).await.unwrap();
        let found = page(amount.map(dollars), availability);
        let next = seen.after(Ok(Some(found)), later(seconds)).unwrap();
        (PriceChanged::between(&seen, &next).unwrap(), seen, next)
    }

    pub async fn fall(&self, seconds: u64, amount: i64) -> PriceChanged {
        self.look(seconds, Some(amount), Availability::InStock).await
    }

    pub fn queue(&self, at: u64, change: &PriceChanged) {
        let position = app::alerts::FanOutPosition::default();
        self.alerts.borrow_mut().push((at, AlertTask::Change { change: change.clone(), position }));
    }

    /// Takes what was sent to queues and to SES.
    pub fn collect(&self, now: u64) {
        for sent in self.world.wire.take_sent() {
            match sent.operation.as_str() {
                "SendEmail" => self.sent.borrow_mut().push(sent.body),
                "SendMessage" if sent.body["QueueUrl"].as_str().unwrap().ends_with("/mails") => {
                    let mail = serde_json::from_str(sent.body["MessageBody"].as_str().unwrap()).unwrap();
                    self.mails.borrow_mut().push(mail);
                }
                "SendMessage" => {
                    let task = serde_json::from_str(sent.body["MessageBody"].as_str().unwrap()).unwrap();
                    let delay = sent.body["DelaySeconds"].as_u64().unwrap_or(0);
                    self.alerts.borrow_mut().push((now + delay, task));
                }
                _ => {}
            }
        }
    }

    pub async fn work_off(&self, seconds: u64, task: AlertTask) -> Result<(), Error> {
        let app = function::App::new(self.context(seconds)).unwrap();
        let done = Box::pin(function::work_off(&app, task)).await;
        self.time.set(seconds);
        self.collect(seconds);
        done
    }

    /// Works off both queues until they are empty or this time has come, and repeats what fails.
    pub async fn run_until(&self, end: u64) -> u64 {
        let mut time = self.time.get();
        for round in 0.. {
            assert!(round < 20_000, "the queues never became empty");
            self.collect(time);
            let mail = self.mails.borrow_mut().pop();
            if let Some(mail) = mail {
                let app = mail_send::App::new(self.context(time)).unwrap();
                if mail_send::send(&app, mail.clone()).await.is_err() {
                    self.mails.borrow_mut().push(mail);
                    time += 180;
                }
                continue;
            }
            let next = {
                let mut alerts = self.alerts.borrow_mut();
                alerts.sort_by_key(|(at, _)| *at);
                if alerts.first().is_some_and(|(at, _)| *at <= end) { Some(alerts.remove(0)) } else { None }
            };
            let Some((at, task)) = next else { return time };
            time = time.max(at);
            if self.work_off(time, task.clone()).await.is_err() {
                self.alerts.borrow_mut().push((time + 360, task));
            }
        }
        time
    }

    pub async fn run(&self) -> u64 {
        self.run_until(u64::MAX).await
    }

    pub async fn told(&self, number: u32) -> Vec<Notification> {
        let list = self.world.table.notifications(user_id(number), PageSize::LARGEST, None).await;
        list.unwrap().items
    }

    pub async fn kinds(&self, number: u32) -> Vec<AlertKind> {
        let told = self.told(number).await.into_iter().map(|told| told.kind);
        let kind = |kind| match kind {
            NotificationKind::Alert(kind) => Some(kind),
            NotificationKind::WebhookDisabled => None,
        };
        let mut kinds: Vec<AlertKind> = told.filter_map(kind).collect();
        kinds.sort();
        kinds
    }

    /// The texts of all mails so far.
    pub fn texts(&self) -> Vec<String> {
        let text =
            |mail: &Value| mail["Content"]["Simple"]["Body"]["Text"]["Data"].as_str().unwrap().to_owned();
        self.sent.borrow().iter().map(text).collect()
    }

    pub async fn set_webhook(&self, number: u32, path: &str) {
        let webhook = Webhook::new(self.host.url(path), now());
        self.world.table.put_webhook(user_id(number), &webhook, &[7; 32]).await.unwrap();
    }
}

/// The result of the work if it is done after this number of steps; `None` if it dies before.
pub async fn within<T>(steps: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = steps;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

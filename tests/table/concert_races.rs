//! Concerts that are published and undone during concurrent reads, and during other requests for the same bands and
//! venues.

use crate::concert_support::{
    band_id, concert_id, home, near, of_bands, prepare, request, request_with, requested_band,
    requested_venue, size, venue_id,
};
use domain::{Error, concert::ConcertRequest};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use table::Discarded;
use tests::{
    Fault, World,
    samples::{now, once},
};
use tokio::sync::Barrier;

/// The number of runs of each race.
const ROUNDS: u32 = 25;

/// The reads that can return a part of a request, in one of the possible orders.
const VIEWS: [View; 5] = [View::Concert, View::Band, View::Venue, View::ByPlace, View::ByBand];

#[derive(Debug, Clone, Copy)]
enum View {
    Concert,
    Band,
    Venue,
    ByPlace,
    ByBand,
}

async fn sees(world: &World, view: View) -> bool {
    let there = |read: Result<(), Error>| {
        let missing = matches!(read, Err(Error::NotFound { .. }));
        if !missing {
            read.unwrap();
        }
        !missing
    };
    let found = async |wanted| {
        let page = world.table.concerts(&wanted, size(20), None).await.unwrap();
        page.items.iter().any(|found| found.concert == request(1).concert())
    };
    match view {
        View::Concert => there(world.table.concert(concert_id(1)).await.map(drop)),
        View::Band => there(world.table.band(band_id(1)).await.map(drop)),
        View::Venue => there(world.table.venue(venue_id(1)).await.map(drop)),
        View::ByPlace => found(near(home(), 20.1)).await,
        View::ByBand => found(of_bands(&[1])).await,
    }
}

/// Reads all views repeatedly, starting with each view in turn, and returns how often it found nothing and how often
/// everything. After one read has found its part, all later reads must find theirs. The delay of the index on AWS is
/// not tested here.
async fn watch(world: Arc<World>, stop: Arc<AtomicBool>) -> (usize, usize) {
    let (mut nothing, mut all) = (0, 0);
    loop {
        let last = stop.load(Ordering::SeqCst);
        for first in 0..VIEWS.len() {
            let mut seen = Vec::new();
            for step in 0..VIEWS.len() {
                seen.push(sees(&world, VIEWS[(first + step) % VIEWS.len()]).await);
            }
            let order = (0..VIEWS.len()).map(|step| VIEWS[(first + step) % VIEWS.len()]).collect::<Vec<_>>();
            assert!(seen.is_sorted(), "a half was seen: {seen:?} of {order:?}");
            nothing += usize::from(!seen[VIEWS.len() - 1]);
            all += usize::from(seen[0]);
        }
        if last {
            return (nothing, all);
        }
    }
}

async fn recorded(world: &World, request: &ConcertRequest) {
    let key = once(&request.concert_id.to_string(), 1);
    world.table.record_request(request, &key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_all_of_a_concert_or_nothing_while_it_is_created() {
    let (mut nothing, mut all) = (0, 0);
    for round in 0..ROUNDS {
        let world = Arc::new(World::new());
        recorded(&world, &request(1)).await;
        let stop = Arc::new(AtomicBool::new(false));
        let watchers: Vec<_> =
            (0..3).map(|_| tokio::spawn(watch(Arc::clone(&world), Arc::clone(&stop)))).collect();
        prepare(&world, &request(1)).await;
        if round % 2 == 1 {
            world.wire.next("TransactWriteItems", [Fault::AnswerLost]);
        }
        world.table.publish_concert(&request(1), now()).await.unwrap();
        stop.store(true, Ordering::SeqCst);
        for watcher in watchers {
            let (saw_nothing, saw_all) = watcher.await.unwrap();
            assert!(saw_all >= VIEWS.len());
            nothing += saw_nothing;
            all += saw_all;
        }
    }
    assert!(nothing > 0 && all > 0, "{nothing} {all}");
}

#[tokio::test]
async fn readers_see_no_part_of_an_undone_request() {
    let world = World::new();
    recorded(&world, &request(1)).await;
    let concert = concert_id(1);
    let unseen = async || {
        for view in VIEWS {
            assert!(!sees(&world, view).await, "{view:?}");
        }
    };
    world.table.prepare_band(&request(1).band(&request(1).bands[0]), concert).await.unwrap();
    unseen().await;
    world.table.prepare_venue(&request(1).new_venue(), concert).await.unwrap();
    unseen().await;
    world.table.prepare_concert(&request(1).concert()).await.unwrap();
    unseen().await;
    for _ in 0..2 {
        assert_eq!(undo(&world).await, [Discarded::Gone; 3]);
        unseen().await;
    }
    assert_eq!(world.items().len(), 3, "only the request is remembered");
}

/// The undo that the state machine runs after a step has failed permanently: concert, venue, band.
async fn undo(world: &World) -> [Discarded; 3] {
    let concert = world.table.discard_concert(concert_id(1)).await.unwrap();
    let venue = world.table.discard_venue(venue_id(1), concert_id(1)).await.unwrap();
    [concert, venue, world.table.discard_band(band_id(1), concert_id(1)).await.unwrap()]
}

/// Another request for a concert with the band and the venue that request 1 creates.
fn rival() -> ConcertRequest {
    request_with(2, vec![requested_band(1, false)], requested_venue(1, false))
}

/// Whether the rival's request finds the band and the venue.
async fn known(world: &World) -> bool {
    let known = world.table.referenced(&[band_id(1)], Some(venue_id(1))).await.unwrap();
    assert_eq!(known.bands.len(), usize::from(known.venue.is_some()));
    known.venue.is_some()
}

/// The first request is undone after its publication, because every response to the publication was lost.
#[tokio::test]
async fn a_rival_keeps_what_it_has_come_to_use() {
    let world = World::new();
    recorded(&world, &request(1)).await;
    prepare(&world, &request(1)).await;
    assert!(!known(&world).await, "nobody can come to use what may still go");
    world.wire.always("TransactWriteItems", Fault::AnswerLost);
    let lost = world.table.publish_concert(&request(1), now()).await;
    assert!(crate::is_unavailable(&lost), "{lost:?}");
    world.wire.heal();
    assert!(known(&world).await);
    recorded(&world, &rival()).await;
    prepare(&world, &rival()).await;
    assert_eq!(undo(&world).await, [Discarded::Published; 3]);
    world.table.publish_concert(&rival(), now()).await.unwrap();
    assert_eq!(undo(&world).await, [Discarded::Published; 3]);
    for request in [request(1), rival()] {
        assert_eq!(world.table.concert(request.concert_id).await, Ok(request.concert()));
    }
    let found = world.table.concerts(&of_bands(&[1]), size(20), None).await.unwrap();
    assert_eq!(found.items.len(), 2);
    assert!(known(&world).await);
}

/// The state machine never runs both at the same time; if it did, everything would be published or everything
/// discarded.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_publication_and_its_undo_at_the_same_instant_leave_all_or_nothing() {
    let (mut stayed, mut gone) = (0, 0);
    for round in 0..4 * ROUNDS {
        let world = Arc::new(World::new());
        recorded(&world, &request(1)).await;
        prepare(&world, &request(1)).await;
        let barrier = Arc::new(Barrier::new(2));
        world.wire.next("TransactWriteItems", [Fault::Held(Arc::clone(&barrier))]);
        world.wire.next("DeleteItem", [Fault::Held(barrier)]);
        let publication = {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.table.publish_concert(&request(1), now()).await })
        };
        let undone = undo(&world).await;
        match (publication.await.unwrap(), undone) {
            (Ok(()), [Discarded::Published, Discarded::Published, Discarded::Published]) => {
                assert!(known(&world).await && sees(&world, View::Concert).await);
                stayed += 1;
            }
            (Err(Error::Internal { .. }), [Discarded::Gone, Discarded::Gone, Discarded::Gone]) => {
                assert_eq!(world.items().len(), 3, "only the request is remembered");
                gone += 1;
            }
            both => panic!("round {round}: {both:?}"),
        }
    }
    assert_eq!(stayed + gone, 4 * ROUNDS);
}

//! `/bands`, `/venues`, `/concerts`.

use crate::souk::{Answer, Call, SOUK, User, at_once, eventually, unique};
use serde_json::{Value, json};

pub fn venue(latitude: f64, longitude: f64) -> Value {
    json!({"name": "Hall", "address": "1 Road", "latitude": latitude, "longitude": longitude, "timeZone": "Asia/Singapore"})
}

pub fn concert(bands: &Value, venue: &Value) -> Value {
    json!({"name": "Night", "startsAt": "2030-01-01T20:00:00+08:00", "bands": bands, "venue": venue})
}

fn ask(user: &User, key: &str, wait: bool, body: &Value) -> Answer {
    let call = user.call("POST", "/concerts").header("idempotency-key", key);
    SOUK.send(if wait { call.header("prefer", "wait=10") } else { call }.json(body))
}

fn created(user: &User, body: &Value) -> Answer {
    let answer = ask(user, &unique(), true, body);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

#[test]
fn bands_and_venues_are_added_and_read() {
    let user = SOUK.user();
    let key = unique();
    let band = || {
        let call = user.call("POST", "/bands").header("idempotency-key", &key);
        SOUK.send(call.json(&json!({"name": "Kaya Trio", "genre": "jazz"})))
    };
    let (first, again) = (band(), band());
    assert_eq!((first.status, again.status, again.header("idempotency-replayed")), (201, 201, "true"));
    assert_eq!(first.body, again.body);
    assert_eq!(SOUK.get(first.header("location")).body, first.body);
    let added = SOUK.send(user.call("POST", "/venues").json(&venue(1.29, 103.85)));
    assert_eq!((added.status, &added.body["latitude"]), (201, &json!(1.29)));
    assert_eq!(SOUK.get(added.header("location")).body, added.body);
    let wrong = json!({"name": "", "latitude": 91, "longitude": 181, "timeZone": "Mars", "size": 3});
    let faults = SOUK.send(user.call("POST", "/venues").json(&wrong));
    let expected = ["/address", "/latitude", "/longitude", "/name", "/size", "/timeZone"];
    assert_eq!(faults.problem(400, "validation").faults(), expected);
    SOUK.get("/bands/018bcfe5-6800-7000-8000-000000000000").problem(404, "not-found");
    SOUK.get("/venues/x").problem(404, "not-found");
}

#[test]
fn one_request_creates_bands_venue_and_concert() {
    let user = SOUK.user();
    let known = SOUK.send(user.call("POST", "/bands").json(&json!({"name": "Known"})));
    let bands = json!([{"bandId": known.body["bandId"]}, {"name": "New", "genre": "pop"}]);
    let answer = created(&user, &concert(&bands, &venue(1.29, 103.85)));
    assert_eq!(answer.header("preference-applied"), "wait=10");
    assert_eq!(answer.body["startsAt"], "2030-01-01T12:00:00.000Z");
    assert_eq!(answer.body["bands"][0], json!({"bandId": known.body["bandId"], "name": "Known"}));
    assert_eq!(SOUK.get(answer.header("location")).body, answer.body);
    let (band, place) = (
        answer.body["bands"][1]["bandId"].as_str().unwrap(),
        answer.body["venue"]["venueId"].as_str().unwrap(),
    );
    assert_eq!(SOUK.get(&format!("/bands/{band}")).body["genre"], "pop");
    assert_eq!(SOUK.get(&format!("/venues/{place}")).body["timeZone"], "Asia/Singapore");
    let found = SOUK.get(&format!("/concerts?bandIds={band}"));
    assert_eq!(found.body, json!({"items": [answer.body]}));

    let other = SOUK.user();
    SOUK.send(other.call("DELETE", answer.header("location"))).problem(403, "forbidden");
    assert_eq!(SOUK.send(user.call("DELETE", answer.header("location"))).status, 204);
    SOUK.get(answer.header("location")).problem(404, "not-found");
    SOUK.send(user.call("DELETE", answer.header("location"))).problem(404, "not-found");
    assert_eq!(SOUK.get(&format!("/concerts?bandIds={band}")).body, json!({"items": []}));
    assert_eq!(SOUK.get(&format!("/bands/{band}")).status, 200);
}

#[test]
fn the_same_request_makes_one_concert_however_often_it_is_sent() {
    let (user, key) = (SOUK.user(), unique());
    let body = concert(&json!([{"name": unique()}]), &venue(10.0, 10.0));
    let answers = at_once(20, |number| ask(&user, &key, number % 2 == 0, &body));
    let location = answers[0].header("location").to_owned();
    assert!(location.starts_with("/concerts/"));
    for answer in &answers {
        assert_eq!(answer.header("location"), location);
        assert!(matches!(answer.status, 201 | 202), "{answer:?}");
    }
    eventually("the concert is there", || SOUK.get(&location).body["name"] == "Night");
    let again = ask(&user, &key, false, &body);
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    let mut other = body.clone();
    other["name"] = "Other".into();
    ask(&user, &key, false, &other).problem(422, "idempotency-mismatch");
    let band = again.body["bands"][0]["bandId"].as_str().unwrap();
    assert_eq!(SOUK.get(&format!("/concerts?bandIds={band}")).body["items"].as_array().unwrap().len(), 1);
}

#[test]
fn bad_requests_for_concerts_name_every_fault_and_create_nothing() {
    let user = SOUK.user();
    let nobody = "018bcfe5-6800-7000-8000-000000000000";
    let bad =
        json!({"name": "", "startsAt": "soon", "bands": [{"name": ""}], "venue": {"venueId": 7}, "price": 1});
    let answer = SOUK.send(user.call("POST", "/concerts").json(&bad));
    let expected = ["/bands/0/name", "/name", "/price", "/startsAt", "/venue/venueId", "Idempotency-Key"];
    assert_eq!(answer.problem(400, "validation").faults(), expected);
    let missing = concert(&json!([{"name": "New"}, {"bandId": nobody}]), &json!({"venueId": nobody}));
    assert_eq!(
        ask(&user, &unique(), true, &missing).problem(400, "validation").faults(),
        ["/bands/1/bandId", "/venue/venueId"]
    );
}

#[test]
fn concerts_are_found_by_place_by_band_and_by_both() {
    let user = SOUK.user();
    let bands: Vec<Value> = ["One", "Two"]
        .iter()
        .map(|name| {
            SOUK.send(user.call("POST", "/bands").json(&json!({"name": name}))).body["bandId"].clone()
        })
        .collect();
    // A random latitude and year, so that no other test's concerts are found: concerts 0, 11, 22, … km to the east of a
    // point near the antimeridian, which some of them cross.
    let mut random = [0; 4];
    getrandom::fill(&mut random).unwrap();
    let latitude = f64::from(u16::from_le_bytes([random[0], random[1]])) / 65536.0 * 80.0 - 40.0;
    let year = 2031 + u16::from_le_bytes([random[2], random[3]]) % 5000;
    let mut ids = Vec::new();
    for step in 0..6 {
        let longitude = 179.8 + 0.1 * f64::from(step) / latitude.to_radians().cos();
        let longitude = if longitude > 180.0 { longitude - 360.0 } else { longitude };
        let mut body =
            concert(&json!([{"bandId": bands[usize::from(step % 2 == 0)]}]), &venue(latitude, longitude));
        body["startsAt"] = format!("{year}-01-{:02}T12:00:00Z", 20 - step).into();
        ids.push(created(&user, &body).body["concertId"].as_str().unwrap().to_owned());
    }
    let walk = |query: &str| SOUK.walk(&format!("/concerts?{query}&limit=2"), "concertId").concat();
    let place = |radius: u32| {
        format!(
            "latitude={latitude}&longitude=179.8&radius={radius}&from={year}-01-01T00:00:00Z&to={year}-12-31T00:00:00Z"
        )
    };
    let of = |steps: &[usize]| steps.iter().map(|step| ids[*step].clone()).collect::<Vec<_>>();
    eventually("the index shows them", || walk(&place(500)).len() == 6);
    assert_eq!(walk(&place(500)), of(&[5, 4, 3, 2, 1, 0]));
    assert_eq!(walk(&format!("{}&sort=-startsAt", place(500))), of(&[0, 1, 2, 3, 4, 5]));
    assert_eq!(walk(&format!("{}&sort=distance", place(30))), of(&[0, 1, 2]));
    assert_eq!(walk(&format!("{}&bandIds={}", place(40), bands[0].as_str().unwrap())), of(&[3, 1]));
    let both = format!("bandIds={},{}", bands[0].as_str().unwrap(), bands[1].as_str().unwrap());
    assert_eq!(
        walk(&format!("{both}&from={year}-01-17T00:00:00Z&to={year}-01-19T12:00:00Z")),
        of(&[3, 2, 1])
    );
    let nearest =
        SOUK.get(&format!("/concerts?{}&sort=distance&limit=1", place(30))).body["items"][0]["distanceKm"]
            .clone();
    assert!(nearest.as_f64().unwrap() < 0.001, "{nearest}");
}

#[test]
fn bad_searches_name_every_fault() {
    let cases = [
        ("", vec!["bandIds"]),
        ("latitude=1", vec!["longitude", "radius"]),
        (
            "latitude=91&longitude=x&radius=0&sort=distance&limit=0&colour=red",
            vec!["colour", "latitude", "limit", "longitude", "radius", "sort"],
        ),
        ("bandIds=x&from=yesterday&sort=distance", vec!["bandIds", "from", "sort"]),
        ("latitude=1&longitude=1&radius=500.1", vec!["radius"]),
        ("bandIds=018bcfe5-6800-7000-8000-000000000000&cursor=x", vec!["cursor"]),
    ];
    for (query, faults) in cases {
        let answer = SOUK.send(Call::new("GET", &format!("/concerts?{query}")));
        assert_eq!(answer.problem(400, "validation").faults(), faults, "{query}");
    }
}

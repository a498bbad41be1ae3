//! Lists on hosts of the loopback interface.

#![cfg(test)]

use super::*;
use crate::{
    Entry,
    server::{Reply, Server, not_found, product, reply},
};
use std::net::{IpAddr, Ipv4Addr};

const LIST: &str = r#"{"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "url": "/item/1"}]}"#;

async fn host(replies: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Server::start((loopback, 0), move |head| replies(head.split(' ').nth(1).unwrap())).await
}

fn crawler(server: &Server) -> Crawler {
    let allowed = Allowed::parse(&format!("127.0.0.1:{}", server.port)).unwrap();
    Crawler::new("SoukPriceWatch/1 (+https://souk.example/crawler)", allowed)
}

fn address(crawler: &Crawler, url: &str) -> PageAddress {
    PageAddress::parse(url, crawler.allowed()).unwrap()
}

fn list(link: &str) -> Reply {
    reply(200, &[("content-type", "application/ld+json; charset=utf-8"), ("link", link)], LIST.as_bytes())
}

fn page(number: u32) -> NextPage {
    NextPage { number, url: None }
}

#[tokio::test]
async fn pages_are_asked_for_by_number_or_by_their_link() {
    let server = host(|path| match path {
        "/items?page=1" => list("<?page=2>; rel=next, <?page=7>; rel=last"),
        "/items?page=2" | "/items?after=x" => list(""),
        _ => not_found(),
    })
    .await;
    let crawler = crawler(&server);
    let session = address(&crawler, &server.url("/items"));
    let first = crawler.sale_page(&session, &page(1)).await.unwrap();
    assert_eq!(first.links.last, Some(7));
    assert_eq!(first.links.next, Some((Some(2), server.url("/items?page=2"))));
    assert_eq!(first.entries, [Entry::Item(address(&crawler, &server.url("/item/1")), None)]);
    for url in [Some(server.url("/items?after=x")), Some("http://other.com/items".to_owned()), None] {
        assert!(crawler.sale_page(&session, &NextPage { number: 2, url }).await.is_ok());
    }
    let failure = crawler.sale_page(&session, &page(3)).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Gone);
    let paths =
        ["/robots.txt", "/items?page=1", "/items?after=x", "/items?page=2", "/items?page=2", "/items?page=3"];
    assert_eq!(server.paths(), paths);
    assert!(server.requests()[1].contains("accept: application/ld+json\r\n"));
}

#[tokio::test]
async fn a_list_is_json_ld_and_nothing_else() {
    let server = host(|path| match path {
        "/html?page=1" => product("1"),
        "/json?page=1" => reply(200, &[("content-type", "application/json")], LIST.as_bytes()),
        "/none?page=1" => reply(200, &[], LIST.as_bytes()),
        _ => not_found(),
    })
    .await;
    let crawler = crawler(&server);
    for path in ["/html", "/json", "/none"] {
        let session = address(&crawler, &server.url(path));
        assert_eq!(
            crawler.sale_page(&session, &page(1)).await.unwrap_err().reason,
            Reason::NotHtml,
            "{path}"
        );
    }
}

#[tokio::test]
async fn redirects_do_not_leave_the_host() {
    let canary = host(|_| list("")).await;
    let port = canary.port;
    let server = host(move |path| match path {
        "/robots.txt" => not_found(),
        "/moved?page=1" => reply(302, &[("location", "/items")], b""),
        "/items" => list(""),
        "/item/1" => reply(302, &[("location", "/item/2")], b""),
        "/item/2" => product("12.99"),
        _ => reply(302, &[("location", &format!("http://127.0.0.1:{port}/items"))], b""),
    })
    .await;
    let allowed = Allowed::parse(&format!("127.0.0.1:{},127.0.0.1:{port}", server.port)).unwrap();
    let crawler = Crawler::new("SoukPriceWatch/1", allowed);
    let at = |path: &str| address(&crawler, &server.url(path));
    assert!(crawler.sale_page(&at("/moved"), &page(1)).await.is_ok());
    assert_eq!(crawler.sale_page(&at("/away"), &page(1)).await.unwrap_err().reason, Reason::Host);
    assert_eq!(crawler.sale_item(&at("/item/1")).await.unwrap().price.unwrap().amount, 1299);
    assert_eq!(crawler.sale_item(&at("/item/away")).await.unwrap_err().reason, Reason::Host);
    let now = Timestamp::from_unix_milliseconds(0);
    assert_eq!(crawler.sessions(&at("/away"), now).await.unwrap_err().reason, Reason::Host);
    assert_eq!(canary.requests().len(), 0);
}

//! Visits to hosts on the loopback interface.

#![cfg(test)]

use super::*;
use crate::server::{Reply, Server, not_found, product, reply};
use flate2::{Compression, write::GzEncoder};
use std::{io::Write, net::IpAddr};

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const AGENT: &str = "SoukPriceWatch/1 (+https://souk.example/crawler)";

/// A host that answers the path with this function, and has no robots.txt unless the function gives one.
async fn host(replies: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
    Server::start((LOOPBACK, 0), move |head| replies(head.split(' ').nth(1).unwrap())).await
}

/// A crawler that may ask for these hosts.
fn crawler(servers: &[&Server]) -> Crawler {
    let entries: Vec<String> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    Crawler::new(AGENT, Allowed::parse(&entries.join(",")).unwrap())
}

async fn visit(crawler: &Crawler, url: &str) -> Result<Visit, Reason> {
    let address = PageAddress::parse(url, crawler.allowed()).unwrap();
    crawler.visit(&address, &Validators::default()).await.map_err(|failure| failure.reason)
}

/// The price in minor units, or the reason.
async fn price(crawler: &Crawler, url: &str) -> Result<i64, Reason> {
    match visit(crawler, url).await? {
        Visit::Read { observation, .. } => Ok(observation.price.unwrap().amount),
        Visit::NotModified => panic!("not modified"),
    }
}

fn redirect(location: &str) -> Reply {
    reply(302, &[("location", location)], b"")
}

#[tokio::test]
async fn a_page_is_read_after_robots_with_the_crawlers_name() {
    let server = host(|path| if path == "/p" { product("12.99") } else { not_found() }).await;
    assert_eq!(price(&crawler(&[&server]), &server.url("/p#x")).await, Ok(1299));
    assert_eq!(server.paths(), ["/robots.txt", "/p"]);
    for head in server.requests() {
        assert!(head.contains(&format!("user-agent: {AGENT}\r\n")), "{head}");
        assert!(head.contains("accept-encoding: gzip, deflate\r\n"), "{head}");
    }
}

#[tokio::test]
async fn hosts_that_are_not_allowed_are_never_asked() {
    let canary = host(|_| product("1")).await;
    let server = host(|path| if path == "/p" { product("12.99") } else { not_found() }).await;
    let crawler = crawler(&[&server]);
    assert!(PageAddress::parse(&canary.url("/p"), crawler.allowed()).is_err());
    let targets = [
        (canary.url("/p"), Reason::Host),
        (format!("//127.0.0.1:{}/p", canary.port), Reason::Host),
        (format!("http://127.1:{}/p", server.port), Reason::Host),
        (format!("http://2130706433:{}/p", server.port), Reason::Host),
        (format!("http://[::ffff:127.0.0.1]:{}/p", server.port), Reason::Host),
        (format!("http://localhost:{}/p", server.port), Reason::Host),
        (format!("http://user@127.0.0.1:{}/p", server.port), Reason::Credentials),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), Reason::Host),
        ("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next".to_owned(), Reason::Host),
        ("http://shop.com:8080/".to_owned(), Reason::Port),
        ("file:///etc/passwd".to_owned(), Reason::Scheme),
    ];
    for (target, reason) in targets {
        let location = target.clone();
        let server = host(move |path| if path == "/p" { redirect(&location) } else { not_found() }).await;
        let crawler = self::crawler(&[&server]);
        assert_eq!(price(&crawler, &server.url("/p")).await, Err(reason), "{target}");
    }
    assert_eq!(canary.requests().len(), 0);
}

#[tokio::test]
async fn at_most_five_redirects_are_followed_and_each_is_checked() {
    let server = host(|path| match path.strip_prefix("/r").and_then(|left| left.parse::<u8>().ok()) {
        Some(0) => product("12.99"),
        Some(left) => redirect(&format!("r{}", left - 1)),
        None if path == "/loop" => redirect("/loop"),
        None if path == "/nowhere" => reply(302, &[], b""),
        None => not_found(),
    })
    .await;
    let crawler = crawler(&[&server]);
    assert_eq!(price(&crawler, &server.url("/r5")).await, Ok(1299));
    assert_eq!(price(&crawler, &server.url("/r6")).await, Err(Reason::TooManyRedirects));
    assert_eq!(price(&crawler, &server.url("/loop")).await, Err(Reason::TooManyRedirects));
    assert_eq!(price(&crawler, &server.url("/nowhere")).await, Err(Reason::ServerError));
    assert_eq!(server.paths().iter().filter(|path| *path == "/loop").count(), 6);
}

/// The loopback addresses below stand for a public host (127.0.0.2) and for one inside (127.0.0.3).
#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    let shop = Server::start((IpAddr::from([127, 0, 0, 2]), 0), |_| product("12.99")).await;
    let canary = Server::start((IpAddr::from([127, 0, 0, 3]), shop.port), |_| product("1")).await;
    let is_public = |address: IpAddr| address == IpAddr::from([127, 0, 0, 2]);
    // One lookup for each connection: robots.txt, and the page. The third answer comes too late to be used.
    let resolver = Resolver::scripted(&[&["127.0.0.2"], &["127.0.0.2"], &["127.0.0.3"]], is_public);
    let crawler = Crawler::with_client(AGENT, Allowed::names_at(shop.port), PageClient::new(AGENT, resolver));
    let url = format!("http://shop.com:{}/p", shop.port);
    assert_eq!(price(&crawler, &url).await, Ok(1299));
    assert_eq!(shop.requests().len(), 2);
    // The name has been changed since: it is refused, and nobody inside is asked.
    assert_eq!(price(&crawler, &url).await, Err(Reason::Address));
    for answer in [&["127.0.0.3"][..], &["127.0.0.2", "127.0.0.3"], &["127.0.0.3", "127.0.0.2"]] {
        let resolver = Resolver::scripted(&[answer], is_public);
        let crawler =
            Crawler::with_client(AGENT, Allowed::names_at(shop.port), PageClient::new(AGENT, resolver));
        assert_eq!(price(&crawler, &url).await, Err(Reason::Address), "{answer:?}");
    }
    assert_eq!((shop.requests().len(), canary.requests().len()), (2, 0));
}

#[tokio::test]
async fn a_name_without_an_address_may_get_one() {
    let crawler = Crawler::with_client(
        AGENT,
        Allowed::default(),
        PageClient::new(AGENT, Resolver::scripted(&[], |_| true)),
    );
    assert_eq!(visit(&crawler, "https://shop.com/p").await, Err(Reason::Dns));
}

#[tokio::test]
async fn slow_hosts_take_no_more_than_the_time_of_a_visit() {
    let pause = Duration::from_millis(10);
    let endless = move |start: &str, chunk: &str| Reply::Endless {
        start: start.as_bytes().to_vec(),
        chunk: chunk.as_bytes().to_vec(),
        pause,
    };
    let page = "HTTP/1.1 200 x\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n";
    let server = host(move |path| match path {
        "/head" => endless("", "H"),
        "/headers" => endless("HTTP/1.1 200 x\r\n", "a: b\r\n"),
        "/header" => endless("HTTP/1.1 200 x\r\na: ", "b"),
        "/body" => endless(page, "1\r\na\r\n"),
        "/nothing" => endless("", ""),
        _ => not_found(),
    })
    .await;
    for path in ["/head", "/headers", "/header", "/body", "/nothing"] {
        let crawler = crawler(&[&server]).within(Duration::from_millis(250));
        let start = Instant::now();
        let reason = price(&crawler, &server.url(path)).await.unwrap_err();
        assert!(matches!(reason, Reason::Timeout | Reason::Connection), "{path}: {reason}");
        assert!(start.elapsed() < Duration::from_secs(2), "{path}");
    }
    let crawler = crawler(&[&server]).within(Duration::from_millis(250));
    assert_eq!(price(&crawler, &server.url("/body")).await, Err(Reason::Timeout));
}

#[tokio::test]
async fn floods_stop_at_the_limits() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&vec![b' '; 10_000_000]).unwrap();
    let bomb = bomb.finish().unwrap();
    let flood = |start: &str, chunk: Vec<u8>| Reply::Endless {
        start: start.as_bytes().to_vec(),
        chunk,
        pause: Duration::ZERO,
    };
    let server = host(move |path| match path {
        "/bomb" => reply(200, &[("content-type", "text/html"), ("content-encoding", "gzip")], &bomb),
        "/brotli" => reply(200, &[("content-type", "text/html"), ("content-encoding", "br")], &bomb),
        "/body" => flood("HTTP/1.1 200 x\r\ncontent-type: text/html\r\n\r\n", vec![b' '; 65_536]),
        "/headers" => flood("HTTP/1.1 200 x\r\n", b"a: b\r\n".repeat(1000)),
        "/header" => flood("HTTP/1.1 200 x\r\na: ", vec![b'b'; 65_536]),
        _ => not_found(),
    })
    .await;
    for (path, reason) in [
        ("/bomb", Reason::TooLarge),
        ("/brotli", Reason::NotHtml),
        ("/body", Reason::TooLarge),
        ("/headers", Reason::Connection),
        ("/header", Reason::Connection),
    ] {
        assert_eq!(price(&crawler(&[&server]), &server.url(path)).await, Err(reason), "{path}");
    }
}

#[tokio::test]
async fn statuses_have_reasons() {
    let server = host(|path| match path.trim_start_matches('/').parse() {
        Ok(status) => reply(status, &[("content-type", "text/html"), ("retry-after", "120")], b""),
        Err(_) if path == "/json" => reply(200, &[("content-type", "application/json")], b"{}"),
        Err(_) if path == "/untyped" => reply(200, &[], b"<html>"),
        Err(_) => not_found(),
    })
    .await;
    let crawler = crawler(&[&server]);
    for (path, reason, wait) in [
        ("/200", Reason::NoProduct, None),
        ("/204", Reason::NotHtml, None),
        ("/304", Reason::ServerError, Some(120)),
        ("/400", Reason::Forbidden, None),
        ("/401", Reason::Forbidden, None),
        ("/403", Reason::Forbidden, None),
        ("/404", Reason::Gone, None),
        ("/410", Reason::Gone, None),
        ("/429", Reason::RateLimited, Some(120)),
        ("/500", Reason::ServerError, Some(120)),
        ("/503", Reason::ServerError, Some(120)),
        ("/json", Reason::NotHtml, None),
        ("/untyped", Reason::NotHtml, None),
    ] {
        let address = PageAddress::parse(&server.url(path), crawler.allowed()).unwrap();
        let failure = crawler.visit(&address, &Validators::default()).await.unwrap_err();
        assert_eq!((failure.reason, failure.retry_after), (reason, wait.map(Duration::from_secs)), "{path}");
    }
}

#[tokio::test]
async fn robots_are_obeyed_on_every_host_of_a_visit() {
    let other = host(|path| match path {
        "/robots.txt" => reply(200, &[], b"User-agent: *\nDisallow: /private"),
        _ => product("2"),
    })
    .await;
    let port = other.port;
    let server = host(move |path| match path {
        "/robots.txt" => reply(200, &[], b"User-agent: SoukPriceWatch\nDisallow: /secret"),
        "/moved" => redirect(&format!("http://127.0.0.1:{port}/private/p")),
        _ => product("1"),
    })
    .await;
    let crawler = crawler(&[&server, &other]);
    assert_eq!(price(&crawler, &server.url("/p")).await, Ok(100));
    assert_eq!(price(&crawler, &server.url("/secret/p")).await, Err(Reason::Robots));
    assert_eq!(price(&crawler, &server.url("/moved")).await, Err(Reason::Robots));
    // Each robots.txt is read once.
    assert_eq!(server.paths(), ["/robots.txt", "/p", "/moved"]);
    assert_eq!(other.paths(), ["/robots.txt"]);
}

#[tokio::test]
async fn a_robots_txt_that_fails_closes_the_host_and_a_missing_one_does_not() {
    for (status, read) in [
        (404, Ok(100)),
        (403, Ok(100)),
        (500, Err(Reason::Robots)),
        (503, Err(Reason::Robots)),
        (429, Err(Reason::RateLimited)),
    ] {
        let server =
            host(move |path| if path == "/robots.txt" { reply(status, &[], b"") } else { product("1") })
                .await;
        assert_eq!(price(&crawler(&[&server]), &server.url("/p")).await, read, "{status}");
    }
    let large = [b"User-agent: *\nDisallow: /p\n".to_vec(), vec![b'#'; 600_000]].concat();
    let server =
        host(move |path| if path == "/robots.txt" { reply(200, &[], &large) } else { product("1") }).await;
    assert_eq!(price(&crawler(&[&server]), &server.url("/p")).await, Err(Reason::Robots));
}

#[tokio::test]
async fn the_canonical_page_is_read_instead() {
    let page = |link: &str, price: &str| {
        let page = format!(
            "<link rel=canonical href='{link}'><title>Tea</title>\
             <meta property=og:price:amount content={price}><meta property=og:price:currency content=EUR>"
        );
        reply(200, &[("content-type", "text/html")], page.as_bytes())
    };
    let server = host(move |path| match path {
        "/p?session=1" => page("/p", "1"),
        "/p" => page("/p", "2"),
        "/gone" => page("/missing", "3"),
        "/a" => page("/b", "4"),
        "/b" => page("/a", "5"),
        _ => not_found(),
    })
    .await;
    let crawler = crawler(&[&server]);
    let Ok(Visit::Read { address, observation, .. }) = visit(&crawler, &server.url("/p?session=1")).await
    else {
        panic!("not read")
    };
    assert_eq!((address.to_string(), observation.price.unwrap().amount), (server.url("/p"), 200));
    // A canonical page that is missing, or that names another one, is none.
    assert_eq!(price(&crawler, &server.url("/gone")).await, Ok(300));
    assert_eq!(price(&crawler, &server.url("/a")).await, Ok(400));
}

#[tokio::test]
async fn a_second_visit_is_conditional() {
    let server = Server::start((LOOPBACK, 0), |head| {
        if head.starts_with("GET /robots.txt") {
            return not_found();
        }
        if head.contains("if-none-match: \"v1\"\r\n") && head.contains("if-modified-since: Sat, 21 Nov 2026")
        {
            return reply(304, &[], b"");
        }
        let Reply::Bytes(page) = product("1") else { panic!("a page") };
        let headers = b"HTTP/1.1 200 x\r\netag: \"v1\"\r\nlast-modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n";
        Reply::Bytes([headers, page.split_at(b"HTTP/1.1 200 x\r\n".len()).1].concat())
    })
    .await;
    let crawler = crawler(&[&server]);
    let Ok(Visit::Read { address, validators, .. }) = visit(&crawler, &server.url("/p")).await else {
        panic!("not read")
    };
    assert_eq!(validators.etag.as_deref(), Some("\"v1\""));
    assert_eq!(crawler.visit(&address, &validators).await, Ok(Visit::NotModified));
}

/// Runs another test in a process whose environment names a proxy that does not exist.
#[test]
fn proxies_of_the_environment_are_not_used() {
    let test = "crawler::tests::a_page_is_read_after_robots_with_the_crawlers_name";
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:1");
    }
    let output =
        command.args(["--exact", test]).env_remove("no_proxy").env_remove("NO_PROXY").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

#[tokio::test]
async fn certificates_are_verified() {
    use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer};
    static TRUSTED: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    TRUSTED.set(crate::roots::pem(cert.der())).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let server = Server::start_tls(|_| product("12.99"), acceptor).await;
    let url = server.url("/p").replace("http:", "https:");
    let untrusting = crawler(&[&server]);
    assert_eq!(price(&untrusting, &url).await, Err(Reason::Connection));
    assert_eq!(server.requests().len(), 0);
    let client = PageClient::with_roots(AGENT, Resolver::system(), || TRUSTED.get().unwrap().clone());
    let trusting = Crawler::with_client(AGENT, untrusting.allowed().clone(), client);
    assert_eq!(price(&trusting, &url).await, Ok(1299));
}

#[tokio::test]
async fn a_host_gets_no_more_than_ten_requests_a_second() {
    let server = host(|path| if path == "/robots.txt" { not_found() } else { product("1") }).await;
    let crawler = crawler(&[&server]);
    let start = Instant::now();
    let (url, count) = (server.url("/p"), 5);
    for visit in futures::future::join_all((0..count).map(|_| price(&crawler, &url))).await {
        assert_eq!(visit, Ok(100));
    }
    assert!(start.elapsed() >= Duration::from_millis(100) * count, "{:?}", start.elapsed());
    assert_eq!(server.paths().iter().filter(|path| *path == "/robots.txt").count(), 1);
}

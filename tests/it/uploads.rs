//! Files that come in over several requests, as tus 1.0.0 has it: cut connections, a killed service, wrong
//! pieces and strangers; at the end the same bytes, once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::media::{film, png};
use crate::stage::eventually;
use crate::world::{Answer, World, both};

/// Begins an upload of so many bytes and says where it is.
async fn begin(world: &World, size: usize, metadata: &str) -> String {
    let ask = world.ask("POST", "/api/v1/uploads").header("tus-resumable", "1.0.0");
    let ask = ask.header("upload-length", &size.to_string()).header("upload-metadata", metadata);
    let answer = ask.send().await;
    assert_eq!(answer.header("tus-resumable"), "1.0.0");
    let place = answer.header("location").to_owned();
    assert!(answer.header("upload-expires").ends_with("GMT"), "{answer:?}");
    let view = answer.expect(201);
    assert_eq!(place, format!("/api/v1/uploads/{}", view["id"].as_str().unwrap()));
    place
}

/// Adds a piece from an offset on.
async fn add(world: &World, place: &str, offset: usize, piece: &[u8]) -> Answer {
    let ask = world.ask("PATCH", place).header("tus-resumable", "1.0.0");
    let ask = ask.header("upload-offset", &offset.to_string());
    ask.body("application/offset+octet-stream", piece.to_vec()).await
}

/// The same with a checksum of something.
async fn add_checked(world: &World, place: &str, offset: usize, piece: &[u8], of: &[u8]) -> Answer {
    let sum = format!("sha256 {}", STANDARD.encode(Sha256::digest(of)));
    let ask = world.ask("PATCH", place).header("tus-resumable", "1.0.0");
    let ask = ask.header("upload-offset", &offset.to_string()).header("upload-checksum", &sum);
    ask.body("application/offset+octet-stream", piece.to_vec()).await
}

/// Promises a piece, sends the beginning of it, and is gone; with a checksum of something, if there is one.
async fn cut_off(
    world: &World,
    place: &str,
    offset: usize,
    (piece, sent): (&[u8], usize),
    of: Option<&[u8]>,
) {
    let sum =
        of.map(|of| format!("Upload-Checksum: sha256 {}\r\n", STANDARD.encode(Sha256::digest(of))));
    let head = format!(
        "PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\n\
         Upload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream\r\n{}\
         Content-Length: {}\r\n\r\n",
        world.admin,
        sum.unwrap_or_default(),
        piece.len(),
    );
    let mut stream = tokio::net::TcpStream::connect(world.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&piece[..sent]).await.unwrap();
    stream.shutdown().await.unwrap();
}

/// How far it has come.
async fn offset(world: &World, place: &str) -> usize {
    let answer = world.ask("HEAD", place).header("tus-resumable", "1.0.0").send().await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{answer:?}");
    answer.header("upload-offset").parse().unwrap()
}

/// The file that became of an upload.
async fn became(world: &World, place: &str) -> (Value, Vec<u8>) {
    let shown = world.ask("GET", place).send().await.expect(200);
    let id = shown["media_id"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned();
    let media = world.ask("GET", &format!("/api/v1/media/{id}")).send().await.expect(200);
    let content = world.ask("GET", &format!("/api/v1/media/{id}/content")).send().await;
    (media, content.bytes)
}

fn problem(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

both! {
    async fn a_film_in_pieces_becomes_the_same_film_once(world) {
        let bytes = film(2_000_000);
        let place = begin(world, bytes.len(), "filename w6FuaC5tcDQ=,filetype dmlkZW8vbXA0").await;
        assert_eq!(offset(world, &place).await, 0);
        let mut at = 0_usize;
        for piece in bytes.chunks(700_000) {
            // Neither a gap nor an overlap is taken, and the answer says where to go on.
            for wrong in [at + 1, at.saturating_sub(1)].into_iter().filter(|wrong| *wrong != at) {
                let refused = add(world, &place, wrong, piece).await;
                assert_eq!(problem(&refused), (409, "offset_mismatch".into()), "{wrong} of {at}");
                assert_eq!(refused.json()["offset"], at);
            }
            assert_eq!(offset(world, &place).await, at);
            let answer = add(world, &place, at, piece).await;
            at += piece.len();
            assert_eq!((answer.status, answer.header("upload-offset")), (204, at.to_string().as_str()));
            let whole = at == bytes.len();
            assert_eq!(answer.header("chancery-media-id").is_empty(), !whole, "{answer:?}");
        }
        assert_eq!(offset(world, &place).await, bytes.len());
        let (media, content) = became(world, &place).await;
        assert_eq!((&media["kind"], media["size_bytes"].as_u64()), (&"video".into(), Some(bytes.len() as u64)));
        assert_eq!(media["sha256"], hex::encode(Sha256::digest(&bytes)));
        assert!(content == bytes, "other bytes came back");
        // Asking again, or sending the end again, makes no second one.
        became(world, &place).await;
        assert_eq!(problem(&add(world, &place, 1_400_000, &bytes[1_400_000..]).await), (409, "offset_mismatch".into()));
        let list = world.ask("GET", "/api/v1/media").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
    }

    /// The peer goes away in the middle of a piece: what has come stays, and the rest follows. Wherever it is
    /// cut, and whatever was wrong on the way, it is the same file at the end.
    async fn cut_connections_lose_nothing_wherever_they_are_cut(world) {
        for seed in 1..=6 {
            let mut chance = StdRng::seed_from_u64(seed);
            let bytes = film(chance.random_range(20_000..400_000));
            let place = begin(world, bytes.len(), "").await;
            for _ in 0..chance.random_range(2..6) {
                let at = offset(world, &place).await;
                let rest = &bytes[at..];
                let (promised, sent) = (chance.random_range(1..=rest.len()), chance.random_range(0..=rest.len() / 3));
                let (piece, sent) = (&rest[..promised], sent.min(promised.saturating_sub(1)));
                let expected = match chance.random_range(0..4) {
                    0 => {
                        let wrong = add_checked(world, &place, at, piece, b"else").await;
                        assert_eq!(wrong.status, 460, "seed {seed}");
                        at
                    }
                    1 => {
                        cut_off(world, &place, at, (piece, sent), Some(piece)).await;
                        at
                    }
                    2 => {
                        cut_off(world, &place, at, (piece, sent), None).await;
                        at + sent
                    }
                    _ if at + promised < bytes.len() => {
                        assert_eq!(add(world, &place, at, piece).await.status, 204, "seed {seed}");
                        at + promised
                    }
                    _ => at,
                };
                eventually("what has come is kept, and what was wrong is not", async || {
                    let there = offset(world, &place).await;
                    if there == expected { Ok(()) } else { Err(format!("seed {seed}: {there}, not {expected}")) }
                })
                .await;
            }
            let at = offset(world, &place).await;
            let last = add(world, &place, at, &bytes[at..]).await;
            assert_eq!(last.status, 204, "seed {seed}: {last:?}");
            let (_, content) = became(world, &place).await;
            assert!(content == bytes, "seed {seed}: other bytes came back");
        }
    }

    /// What it is cannot be told from its first letters; it may be a film, which may be larger than a picture.
    async fn a_large_film_may_begin_with_a_short_piece(world) {
        let bytes = film(21_000_000);
        let place = begin(world, bytes.len(), "").await;
        let mut at = 0_usize;
        for until in [5, 63, 64, bytes.len()] {
            let answer = add(world, &place, at, &bytes[at..until]).await;
            assert_eq!(answer.status, 204, "{answer:?}");
            at = until;
        }
        let shown = world.ask("GET", &place).send().await.expect(200);
        assert!(shown["media_id"].is_string(), "{shown}");
    }

    async fn a_piece_that_is_not_what_was_sent_does_not_count(world) {
        let bytes = png(60, 60);
        let place = begin(world, bytes.len(), "").await;
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        let wrong = add_checked(world, &place, 0, first, b"something else").await;
        assert_eq!(problem(&wrong), (460, "checksum_mismatch".into()));
        assert_eq!(offset(world, &place).await, 0);
        assert_eq!(add_checked(world, &place, 0, first, first).await.status, 204);
        assert_eq!(problem(&add(world, &place, 0, first).await), (409, "offset_mismatch".into()));
        assert_eq!(problem(&add(world, &place, first.len(), &[rest, b"more"].concat()).await), (413, "too_large".into()));
        let unknown = world.ask("PATCH", &place).header("tus-resumable", "1.0.0")
            .header("upload-offset", "0").header("upload-checksum", "crc32 AAAA");
        let unknown = unknown.body("application/offset+octet-stream", vec![1]).await;
        assert_eq!(problem(&unknown), (400, "bad_upload_header".into()));
        let sha1 = world.ask("PATCH", &place).header("tus-resumable", "1.0.0")
            .header("upload-offset", &first.len().to_string())
            .header("upload-checksum", &format!("sha1 {}", STANDARD.encode(<sha1::Sha1 as sha1::Digest>::digest(rest))));
        assert_eq!(sha1.body("application/offset+octet-stream", rest.to_vec()).await.status, 204);
        assert!(became(world, &place).await.1 == bytes);
    }

    async fn what_is_no_media_ends_with_the_same_words_as_a_plain_upload(world) {
        let page = b"<html><script>alert(1)</script></html>".to_vec();
        let place = begin(world, page.len(), "").await;
        assert_eq!(problem(&add(world, &place, 0, &page).await), (415, "unsupported_media".into()));
        let shown = world.ask("GET", &place).send().await.expect(200);
        assert_eq!((&shown["problem"], &shown["media_id"]), (&json!("unsupported_media"), &Value::Null));
        let gone = world.ask("HEAD", &place).header("tus-resumable", "1.0.0").send().await;
        assert_eq!(gone.status, 410);
        assert_eq!(problem(&add(world, &place, 0, &page).await), (409, "upload_over".into()));
        let lie = png(9, 9);
        let place = begin(world, lie.len(), "filetype aW1hZ2UvanBlZw==").await;
        assert_eq!(problem(&add(world, &place, 0, &lie).await), (415, "media_type_mismatch".into()));
        let said = format!("sha256 {}", STANDARD.encode("0".repeat(64)));
        let place = begin(world, lie.len(), &said).await;
        assert_eq!(add(world, &place, 0, &lie).await.faults()[0].1, "upload_differs");
        let list = world.ask("GET", "/api/v1/media").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 0);
    }

    async fn uploads_are_bounded_and_nobody_elses(world) {
        let options = world.ask("OPTIONS", "/api/v1/uploads").send().await;
        assert_eq!((options.status, options.header("tus-version")), (204, "1.0.0"));
        assert_eq!(options.header("tus-extension"), "creation,expiration,termination,checksum");
        let most: u64 = options.header("tus-max-size").parse().unwrap();
        let ask = |size: u64| {
            let ask = world.ask("POST", "/api/v1/uploads").header("tus-resumable", "1.0.0");
            ask.header("upload-length", &size.to_string()).send()
        };
        assert_eq!(problem(&ask(most + 1).await), (413, "too_large".into()));
        assert_eq!(ask(0).await.faults()[0].1, "empty_file");
        let plain = world.ask("POST", "/api/v1/uploads").header("upload-length", "5").send().await;
        assert_eq!((problem(&plain), plain.header("tus-version")), ((412, "tus_version".into()), "1.0.0"));
        let nothing = world.ask("POST", "/api/v1/uploads").header("tus-resumable", "1.0.0").send().await;
        assert_eq!(problem(&nothing), (400, "bad_upload_header".into()));
        let mut places = Vec::new();
        for _ in 0..8 {
            places.push(begin(world, 10, "").await);
        }
        assert_eq!(problem(&ask(10).await), (409, "too_many_uploads".into()));
        let gone = world.ask("DELETE", &places[0]).header("tus-resumable", "1.0.0").send().await;
        assert_eq!(gone.status, 204);
        assert_eq!(problem(&add(world, &places[0], 0, b"x").await), (404, "not_found".into()));
        let place = begin(world, 10, "").await;
        assert_eq!(add(world, &place, 0, b"12345").await.status, 204);
        // What a picture may not be is known when it has begun.
        let gone = world.ask("DELETE", &places[1]).header("tus-resumable", "1.0.0").send().await;
        assert_eq!(gone.status, 204);
        let large = begin(world, usize::try_from(most).unwrap(), "").await;
        let refused = add(world, &large, 0, &png(90, 90)).await;
        assert_eq!(problem(&refused), (413, "too_large".into()));
        let stranger = world.colleague("binh.tran@mofa.example").await;
        for method in ["HEAD", "GET", "PATCH", "DELETE"] {
            let ask = world.ask_as(&stranger, method, &place).header("tus-resumable", "1.0.0");
            let ask = ask.header("upload-offset", "5");
            let answer = ask.body("application/offset+octet-stream", b"67890".to_vec()).await;
            assert_eq!(answer.status, 404, "{method}");
        }
        assert_eq!(offset(world, &place).await, 5);
    }
}

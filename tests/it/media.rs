//! Media through the front door: a file is what its bytes say.

use std::io::Cursor;

use crate::world::{World, both};

/// A picture of this size.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([u8::try_from(x % 251).unwrap(), u8::try_from(y % 241).unwrap(), 7])
    });
    image::DynamicImage::from(picture)
        .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png)
        .unwrap();
    bytes
}

/// A box of a film.
pub(crate) fn boxed(kind: &str, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind.as_bytes(), body].concat()
}

pub(crate) fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|it| it.to_be_bytes()).collect()
}

/// Two seconds of a film of 320 by 240 with so many bytes of pictures that nobody can play.
pub(crate) fn film(bytes: usize) -> Vec<u8> {
    film_with(bytes, (320, 240), 2_000, &[])
}

/// The same with other measures; it plays for so many milliseconds.
pub(crate) fn film_of(bytes: usize, measures: (u32, u32), ms: u32) -> Vec<u8> {
    film_with(bytes, measures, ms, &[])
}

/// The same with what it says of itself in its index.
pub(crate) fn film_saying(bytes: usize, said: &[u8]) -> Vec<u8> {
    film_with(bytes, (320, 240), 2_000, said)
}

fn film_with(bytes: usize, (width, height): (u32, u32), ms: u32, said: &[u8]) -> Vec<u8> {
    let matrix = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000, width << 16, height << 16];
    let header = [numbers(&[3, 0, 0, 1, 0, ms, 0, 0, 0, 0]), numbers(&matrix)].concat();
    let entry = boxed("avc1", &[0; 78]);
    let table = [
        boxed("stsd", &[numbers(&[0, 1]), entry].concat()),
        boxed("stts", &numbers(&[0, 1, ms / 40, 40])),
    ];
    let media = [
        boxed("mdhd", &numbers(&[0, 0, 0, 1_000, ms, 0])),
        boxed("hdlr", b"\0\0\0\0\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        boxed("minf", &boxed("stbl", &table.concat())),
    ];
    let track = [boxed("tkhd", &header), boxed("mdia", &media.concat())].concat();
    let index = [
        boxed("mvhd", &[numbers(&[0, 0, 0, 1_000, ms]), vec![0; 80]].concat()),
        boxed("trak", &track),
        said.to_vec(),
    ];
    let pictures: Vec<u8> = (0..bytes).map(|it| u8::try_from(it % 253).unwrap()).collect();
    let parts = [
        boxed("ftyp", b"isom\0\0\x02\0isommp41"),
        boxed("moov", &index.concat()),
        boxed("mdat", &pictures),
    ];
    parts.concat()
}

both! {
    async fn a_picture_is_stored_and_given_back(world) {
        let bytes = png(40, 30);
        let media = world.ask("POST", "/api/v1/media").body("image/png", bytes.clone()).await.expect(201);
        assert_eq!((&media["kind"], &media["mime"]), (&"image".into(), &"image/png".into()));
        assert_eq!((&media["width"], &media["height"]), (&40.into(), &30.into()));
        assert_eq!(media["size_bytes"], bytes.len());
        let place = format!("/api/v1/media/{}", media["id"].as_str().unwrap());
        assert_eq!(world.ask("GET", &place).send().await.expect(200), media);
        let content = world.ask("GET", &format!("{place}/content")).send().await;
        assert_eq!((content.header("content-type"), content.header("x-content-type-options")), ("image/png", "nosniff"));
        assert_eq!(content.bytes, bytes);
        assert_eq!(world.ask("DELETE", &place).send().await.status, 204);
        world.ask("GET", &place).send().await.problem(404, "not_found");
    }

    async fn a_form_with_one_file_does_too(world) {
        let mut body = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n".to_vec();
        body.extend(png(8, 8));
        body.extend(b"\r\n--x--\r\n");
        let ask = world.ask("POST", "/api/v1/media");
        ask.body("multipart/form-data; boundary=x", body).await.expect(201);
        let empty = b"--x--\r\n".to_vec();
        let ask = world.ask("POST", "/api/v1/media");
        ask.body("multipart/form-data; boundary=x", empty).await.problem(400, "bad_multipart");
    }

    async fn a_file_that_is_not_what_it_says_is_refused(world) {
        let post = |kind: &'static str, bytes: Vec<u8>| world.ask("POST", "/api/v1/media").body(kind, bytes);
        let lie = post("image/jpeg", png(8, 8)).await;
        let detail = lie.problem(415, "media_type_mismatch")["detail"].to_string();
        assert!(detail.contains("image/jpeg") && detail.contains("image/png"), "{detail}");
        let page = b"<html><script>alert(1)</script></html>".to_vec();
        post("image/png", page).await.problem(415, "unsupported_media");
        let cut = png(300, 300);
        let cut = cut[..cut.len() / 2].to_vec();
        assert_eq!(post("image/png", cut).await.faults()[0].1, "media_damaged");
        assert_eq!(post("image/png", Vec::new()).await.faults()[0].1, "empty_file");
        let list = world.ask("GET", "/api/v1/media").send().await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 0);
    }

    async fn a_video_is_stored_and_given_back(world) {
        let bytes = film(3_000_000);
        let media = world.ask("POST", "/api/v1/media").body("video/mp4", bytes.clone()).await.expect(201);
        assert_eq!((&media["kind"], &media["mime"]), (&"video".into(), &"video/mp4".into()));
        assert_eq!((&media["width"], &media["height"], &media["duration_ms"]), (&320.into(), &240.into(), &2_000.into()));
        let facts = serde_json::json!({"codec": "avc1", "audio_codec": null, "frames_per_1000_s": 25_000, "starts_at_once": true});
        assert_eq!(media["video"], facts);
        let place = format!("/api/v1/media/{}", media["id"].as_str().unwrap());
        assert_eq!(world.ask("GET", &place).send().await.expect(200), media);
        let content = world.ask("GET", &format!("{place}/content")).send().await;
        assert_eq!((content.header("content-type"), content.header("content-length")), ("video/mp4", bytes.len().to_string().as_str()));
        assert_eq!(content.bytes, bytes);
        // The three names of one container are one; another kind of file is not.
        world.ask("POST", "/api/v1/media").body("video/quicktime", bytes.clone()).await.expect(201);
        let lie = world.ask("POST", "/api/v1/media").body("video/webm", bytes.clone()).await;
        lie.problem(415, "media_type_mismatch");
        let webm = b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x86\x81\x01\x42\x82\x84webm";
        let webm = [&webm[..], &[0; 300]].concat();
        let refused = world.ask("POST", "/api/v1/media").body("video/webm", webm).await;
        let told = refused.problem(415, "unsupported_media")["detail"].to_string();
        assert!(told.contains("video/webm") && told.contains("MP4 and MOV"), "{told}");
        let cut = bytes[..2_000_000].to_vec();
        let refused = world.ask("POST", "/api/v1/media").body("video/mp4", cut).await;
        assert_eq!(refused.faults()[0].1, "media_damaged");
    }

    /// Each platform takes one alone.
    async fn a_video_beside_a_picture_is_refused(world) {
        let desk = crate::planning::Desk::open(world).await;
        let stored = world.ask("POST", "/api/v1/media").body("video/mp4", film(999)).await.expect(201);
        let picture = world.ask("POST", "/api/v1/media").body("image/png", png(9, 9)).await.expect(201);
        let mut draft = desk.draft();
        draft["variants"][0]["media"] = serde_json::json!([
            {"media_id": stored["id"], "alt": "Lễ chào cờ"}, {"media_id": picture["id"], "alt": "Cờ"}]);
        let post = world.ask("POST", "/api/v1/posts").json(&draft).await.expect(201);
        for account in [&desk.page, &desk.profile] {
            let wanted = serde_json::json!({"deliveries": [{"account_id": account, "language": "vi", "now": true}]});
            let refused = world.ask("POST", &crate::planning::schedule_of(&post)).json(&wanted).await;
            assert_eq!(refused.faults().iter().map(|it| it.1.as_str()).collect::<Vec<_>>(), ["media_mixed"]);
        }
    }

    async fn the_same_key_stores_a_file_once(world) {
        let send = |bytes: Vec<u8>| world.ask("POST", "/api/v1/media").key("m1").body("image/png", bytes);
        let first = send(png(9, 9)).await.expect(201);
        let again = send(png(9, 9)).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.expect(201), first);
        send(png(9, 10)).await.problem(422, "idempotency_mismatch");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn size_and_pixels_are_bounded() {
    let world = World::sqlite_with(&[
        ("CHANCERY_MEDIA__MAX_BYTES", "20000"),
        ("CHANCERY_MEDIA__MAX_VIDEO_BYTES", "50000"),
        ("CHANCERY_MEDIA__MAX_PIXELS", "10000"),
    ])
    .await;
    let post = |bytes: Vec<u8>| world.ask("POST", "/api/v1/media").body("image/png", bytes);
    post(vec![0; 20_001]).await.problem(413, "too_large");
    // A picture is not let in as a video is.
    assert_eq!(post(vec![0; 50_001]).await.status, 413);
    let video = |bytes: usize| world.ask("POST", "/api/v1/media").body("video/mp4", film(bytes));
    video(49_000).await.expect(201);
    let told = video(50_001).await.problem(413, "too_large");
    assert_eq!(told["detail"], "at most 50000 bytes");
    // A hundred million equal points are a small file.
    assert_eq!(post(png(101, 100)).await.faults()[0].1, "too_many_pixels");
    post(png(100, 100)).await.expect(201);
    world.end().await;
}

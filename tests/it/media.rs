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
        ("CHANCERY_MEDIA__MAX_PIXELS", "10000"),
    ])
    .await;
    let post = |bytes: Vec<u8>| world.ask("POST", "/api/v1/media").body("image/png", bytes);
    post(vec![0; 20_001]).await.problem(413, "too_large");
    // A hundred million equal points are a small file.
    assert_eq!(post(png(101, 100)).await.faults()[0].1, "too_many_pixels");
    post(png(100, 100)).await.expect(201);
    world.end().await;
}

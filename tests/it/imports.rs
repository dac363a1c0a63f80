//! Tables of posts and of plans: looked at first, made whole or not at all, as drafts, and undone.

use std::io::{Cursor, Write as _};

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use serde_json::{Value, json};

use crate::planning::Desk;
use crate::world::{Answer, World, both};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// As Excel writes it where the comma is for decimals.
fn table(page: &str) -> String {
    let head = "Mã bài;Tiêu đề;Ngôn ngữ;Nội dung;Tài khoản;Thời điểm;Múi giờ;Loại tin;Nhãn";
    format!(
        "\u{feff}{head}\r\n\
         a;Quốc khánh;vi;\"Chào mừng\n\"\"Quốc khánh\"\"\";{page};02/09/2031 9:00;Asia/Ho_Chi_Minh;tuyên bố;lễ; \r\n\
         a;;fr;Fête nationale;{page};2031-09-02T03:00:00Z;;;;\r\n\
         b;Họp báo;vi;Mời dự họp báo;;;;;;\r\n\
         ;Chúc mừng;vi;Chúc mừng năm mới;;;;;;\r\n"
    )
}

async fn hand_in(world: &World, query: &str, bytes: &[u8]) -> Answer {
    let path = format!("/api/v1/imports?{query}");
    world.ask("POST", &path).body("application/octet-stream", bytes.to_vec()).await
}

async fn count(world: &World, noun: &str) -> usize {
    let page = world.ask("GET", &format!("/api/v1/{noun}")).send().await.expect(200);
    page["items"].as_array().unwrap().len()
}

/// Where each error is, and which.
fn errors(report: &Value) -> Vec<String> {
    let all = report["errors"].as_array().unwrap().iter();
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    all.map(|it| format!("{} {} {}", it["row"], text(&it["column"]), text(&it["code"]))).collect()
}

fn since(items: &Value) -> Vec<(i64, String)> {
    let all = items.as_array().unwrap().iter();
    all.map(|it| (it["row"].as_i64().unwrap(), it["since"].as_str().unwrap().to_owned())).collect()
}

both! {
    async fn a_table_lands_as_drafts_once_and_is_undone_as_far_as_nobody_touched_it(world) {
        let desk = Desk::open(world).await;
        let (table, query) = (table(&desk.page), format!("unit_id={}", desk.unit));
        let seen = hand_in(world, &query, table.as_bytes()).await.expect(200);
        assert_eq!((&seen["ok"], &seen["import"], &seen["rows"]), (&json!(true), &Value::Null, &json!(4)), "{seen}");
        assert_eq!((seen["items"].as_array().unwrap().len(), count(world, "posts").await), (3, 0));
        let path = format!("/api/v1/imports?{query}&dry_run=false&file_name=nam.csv");
        let made = || world.ask("POST", &path).key("once").body("text/csv", table.clone().into_bytes());
        let first = made().await.expect(201);
        assert_eq!(made().await.expect(201), first);
        assert_eq!((count(world, "posts").await, count(world, "deliveries").await), (3, 0), "nothing is scheduled");
        let place = |row: usize| format!("/api/v1/posts/{}", first["items"][row]["post_id"].as_str().unwrap());
        let post = world.ask("GET", &place(0)).send().await.expect(200);
        assert_eq!((&post["class"], &post["source_language"], &post["labels"]), (&json!("statement"), &json!("vi"), &json!(["lễ"])));
        assert_eq!(post["variants"][0]["text"], "Chào mừng\n\"Quốc khánh\"");
        // What was meant is scheduled by whoever may, as it stands there.
        let meant = json!({"deliveries": first["items"][0]["deliveries"]});
        let scheduled = world.ask("POST", &format!("{}/deliveries", place(0))).json(&meant).await.expect(201);
        let due: Vec<&Value> = scheduled["deliveries"].as_array().unwrap().iter().map(|it| &it["due_at"]).collect();
        assert_eq!(due, ["2031-09-02T02:00:00Z", "2031-09-02T03:00:00Z"]);
        // Also after that was cancelled: then a post could be removed, and somebody has worked on it.
        for one in scheduled["deliveries"].as_array().unwrap() {
            let cancel = format!("/api/v1/deliveries/{}/cancel", one["id"].as_str().unwrap());
            world.ask("POST", &cancel).seen("*").send().await.expect(200);
        }
        world.ask("PATCH", &place(1)).seen("*").json(&json!({"title": "Họp báo tháng 9"})).await.expect(200);
        let batch = format!("/api/v1/imports/{}", first["import"]["id"].as_str().unwrap());
        let undone = world.ask("POST", &format!("{batch}/undo")).send().await.expect(200);
        assert_eq!(since(&undone["kept"]), [(2, "planned".to_owned()), (4, "changed".to_owned())]);
        assert_eq!(since(&undone["removed"]), [(5, "removed".to_owned())]);
        world.ask("GET", &place(2)).send().await.problem(404, "not_found");
        assert_eq!(count(world, "posts").await, 2);
        let shown = world.ask("GET", &batch).send().await.expect(200);
        assert_eq!(since(&shown["items"])[2], (5, "removed".to_owned()));
        assert_eq!((&shown["import"]["file_name"], shown["import"]["undone_at"].is_string()), (&json!("nam.csv"), true));
        assert_eq!(count(world, "imports").await, 1);
    }

    async fn every_fault_of_every_row_is_told_and_then_nothing_is_made(world) {
        let desk = Desk::open(world).await;
        let (page, query) = (&desk.page, format!("unit_id={}", desk.unit));
        let table = format!(
            "key,title,language,text,accounts,when,class,campaign\n\
             a,Lễ,vi,{},{page},2031-03-30 02:30,sometimes,\n\
             a,Tết,vi,,nobody;{page},,,camp_no\n\
             b,,xx-,Xin chào,,2031-09-02 09:00,,\n\
             ,Tốt,vi,Xin chào,{page},2020-01-01 09:00,,\n", "x".repeat(100_001));
        let seen = world.ask("POST", &format!("/api/v1/imports?{query}")).header("accept-language", "vi");
        let seen = seen.body("text/csv", table.clone().into_bytes()).await.expect(200);
        let found = errors(&seen);
        for expected in [
            "2 class unknown_word", "2 text too_long", "3 accounts unknown_reference", "3 when import_time_missing",
            "3 title rows_disagree", "3 campaign rows_disagree", "4 language bad_language", "4 accounts import_account_missing",
            "5 when absurd_date",
        ] {
            assert!(found.contains(&expected.to_owned()), "{expected}: {found:?}");
        }
        assert!(seen["errors"][0]["detail"].as_str().unwrap().contains("không thuộc"), "{}", seen["errors"][0]);
        // Paris skips this hour on that day; found once the text is short enough to look at the rest.
        let short = table.replace(&"x".repeat(100_001), "x").replace("sometimes", "");
        let found = errors(&hand_in(world, &query, short.as_bytes()).await.expect(200));
        assert!(found.contains(&"2 when time_skipped".to_owned()), "{found:?}");
        let refused = hand_in(world, &format!("{query}&dry_run=false"), table.as_bytes()).await;
        assert!(refused.faults().contains(&("/rows/2/class".to_owned(), "unknown_word".to_owned())));
        assert_eq!((count(world, "posts").await, count(world, "imports").await), (0, 0));
        let unknown = hand_in(world, &query, b"title,body,text\na,b,c,d\n").await.expect(200);
        let expected = ["1 body unknown_column", "1 language missing_column", "2  column_without_heading"];
        assert_eq!(errors(&unknown)[..3], expected);
        assert!(unknown["errors"][0]["detail"].as_str().unwrap().contains("language (ngôn ngữ)"));
    }

    async fn a_year_plan_becomes_events_and_is_undone(world) {
        let desk = Desk::open(world).await;
        let query = format!("kind=plan&unit_id={}", desk.unit);
        let table = "title,title en,kind,from,to,visibility,country\n\
            Quốc khánh,National Day,quốc khánh,02/09/2031,,whole,VN\n\
            Họp báo,,briefing,2031-09-04 15:00,2031-09-04 16:00,,\n";
        let bad = table.replace("02/09/2031,,", "02/09/2031,2031-09-01 10:00,").replace("briefing", "họp");
        let seen = hand_in(world, &query, bad.as_bytes()).await.expect(200);
        assert_eq!(errors(&seen), ["2 to ends_differ", "3 kind unknown_word"]);
        let made = hand_in(world, &format!("{query}&dry_run=false"), table.as_bytes()).await.expect(201);
        let month = "/api/v1/calendar?from=2031-09-01T00:00:00Z&to=2031-10-01T00:00:00Z";
        let planned = world.ask("GET", month).send().await.expect(200);
        // The unit is in Paris.
        assert_eq!(planned["items"][0]["at"], "2031-09-01T22:00:00Z");
        assert_eq!(planned["items"][1]["until"], "2031-09-04T14:00:00Z");
        let event = format!("/api/v1/events/{}", made["items"][1]["event_id"].as_str().unwrap());
        world.ask("PATCH", &event).seen("*").json(&json!({"note": "Phòng 2"})).await.expect(200);
        let undo = format!("/api/v1/imports/{}/undo", made["import"]["id"].as_str().unwrap());
        let undone = world.ask("POST", &undo).send().await.expect(200);
        assert_eq!((since(&undone["removed"]).len(), since(&undone["kept"])), (1, vec![(3, "changed".to_owned())]));
        let left = world.ask("GET", month).send().await.expect(200);
        assert_eq!(left["items"].as_array().unwrap().len(), 1);
    }
}

/// A file as Excel writes it, with dates as dates, a number and a formula.
fn workbook(page: &str) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (place, heading) in
        ["Title", "Language", "Text", "Accounts", "When", "Zone"].into_iter().enumerate()
    {
        sheet.write(0, u16::try_from(place).unwrap(), heading).unwrap();
    }
    let moment = ExcelDateTime::from_ymd(2031, 9, 2).unwrap().and_hms(9, 30, 0).unwrap();
    sheet.write(1, 0, 2031).unwrap();
    sheet.write(1, 1, "vi").unwrap();
    sheet.write(1, 2, "Tiếng Việt: ạ ế ộ & <ừ>").unwrap();
    sheet.write(1, 3, page).unwrap();
    sheet
        .write_with_format(1, 4, &moment, &Format::new().set_num_format("dd/mm/yyyy hh:mm"))
        .unwrap();
    sheet.write(1, 5, "Asia/Ho_Chi_Minh").unwrap();
    sheet.write(3, 1, "vi").unwrap();
    sheet.write_formula(3, 2, "=HYPERLINK(\"https://evil.example\")").unwrap();
    workbook.save_to_buffer().unwrap()
}

/// A small archive that unpacks to more than anybody needs, and says that it holds more strings than any memory.
fn bomb() -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let parts = [
        (
            "xl/workbook.xml",
            "<workbook><sheets><sheet name=\"a\" r:id=\"r1\"/></sheets></workbook>",
        ),
        ("xl/_rels/workbook.xml.rels", "<a><Relationship Id=\"r1\" Target=\"sheet.xml\"/></a>"),
        ("xl/sharedStrings.xml", "<sst uniqueCount=\"4000000000000\">"),
    ];
    for (name, start) in parts {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(start.as_bytes()).unwrap();
    }
    for _ in 0..33 {
        archive.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_take_without_end_or_means_something_else_is_refused() {
    let world = World::sqlite().await;
    let desk = Desk::open(&world).await;
    let query = format!("unit_id={}", desk.unit);
    let named =
        |names: &str| format!("language,text,accounts,when\nvi,a,{names},2031-09-02 09:00\n");
    for (names, expected) in [
        ("a;".repeat(200_000), "2 accounts too_many"),
        (format!("{0};{0}", desk.page), "2 accounts repeated"),
    ] {
        let seen = hand_in(&world, &query, named(&names).as_bytes()).await.expect(200);
        assert_eq!(errors(&seen)[0], expected);
    }
    let open = hand_in(&world, &query, b"language,text\nvi,\"M\nvi,Hai\n").await;
    assert_eq!(open.faults(), [(String::new(), "quote_not_closed".to_owned())]);
    let beyond = ",".repeat(120);
    let wide = hand_in(&world, &query, format!("language,text\nvi,a{beyond}b\n").as_bytes()).await;
    assert_eq!(wide.faults(), [(String::new(), "too_many".to_owned())]);
    let wrong = format!("language,text\n{}", "vi,a,b\n".repeat(1_500));
    let seen = hand_in(&world, &query, wrong.as_bytes()).await.expect(200);
    let found = errors(&seen);
    assert_eq!((found.len(), found[1_000].as_str()), (1_001, "1002  too_many_faults"));
    let full = format!("language,text\n{}", "vi,a\n".repeat(2_000));
    let seen = hand_in(&world, &query, full.as_bytes()).await.expect(200);
    assert_eq!((&seen["rows"], &seen["ok"]), (&json!(2_000), &json!(true)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_xlsx_file_is_read_as_it_is_meant_and_a_hostile_one_is_refused() {
    let world = World::sqlite().await;
    let desk = Desk::open(&world).await;
    let query = format!("unit_id={}", desk.unit);
    let file = workbook(&desk.page);
    let seen =
        world.ask("POST", &format!("/api/v1/imports?{query}")).body(XLSX, file.clone()).await;
    let seen = seen.expect(200);
    assert_eq!(errors(&seen)[0], "4 text formula_refused", "{seen}");
    assert_eq!(seen["items"][0]["title"], "2031");
    let local = json!({"date": "2031-09-02", "time": "09:30:00", "zone": "Asia/Ho_Chi_Minh"});
    assert_eq!(seen["items"][0]["deliveries"][0]["local"], local);
    let cut = hand_in(&world, &query, &file[..file.len() / 2]).await;
    cut.problem(400, "table_broken");
    assert!(bomb().len() < 1 << 20, "the file itself is small");
    hand_in(&world, &query, &bomb()).await.problem(413, "too_large");
    hand_in(&world, &query, b"ti\xEAu,text\n").await.problem(415, "not_a_table");
    hand_in(&world, &query, b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1").await.problem(415, "not_a_table");
    let many = format!("language,text\n{}", "vi,a\n".repeat(100_000));
    let refused = hand_in(&world, &query, many.as_bytes()).await;
    assert_eq!(refused.faults(), [(String::new(), "too_many_rows".to_owned())]);
    assert_eq!(count(&world, "posts").await, 0);
    world.end().await;
}

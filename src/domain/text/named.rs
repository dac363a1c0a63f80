//! Languages with the names that people choose them by: those of the world that the ministry writes in, and those
//! of the peoples of Viet Nam. Any other well-formed tag is taken as well.

/// A language in two others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// BCP 47 tag, in its canonical spelling.
    pub tag: &'static str,
    /// In Vietnamese.
    pub vi: &'static str,
    /// In English.
    pub en: &'static str,
    /// Spoken by a people of Viet Nam other than the Kinh.
    pub ethnic: bool,
}

const fn world(tag: &'static str, vi: &'static str, en: &'static str) -> Named {
    Named { tag, vi, en, ethnic: false }
}

const fn ethnic(tag: &'static str, vi: &'static str, en: &'static str) -> Named {
    Named { tag, vi, en, ethnic: true }
}

/// All of them; codes of ISO 639-3 where ISO 639-1 has none.
pub const NAMED: &[Named] = &[
    world("vi", "Tiếng Việt", "Vietnamese"),
    world("en", "Tiếng Anh", "English"),
    world("zh", "Tiếng Trung Quốc", "Chinese"),
    world("zh-Hans", "Tiếng Trung Quốc (giản thể)", "Chinese (simplified)"),
    world("zh-Hant", "Tiếng Trung Quốc (phồn thể)", "Chinese (traditional)"),
    world("es", "Tiếng Tây Ban Nha", "Spanish"),
    world("fr", "Tiếng Pháp", "French"),
    world("ar", "Tiếng Ả Rập", "Arabic"),
    world("ru", "Tiếng Nga", "Russian"),
    world("pt", "Tiếng Bồ Đào Nha", "Portuguese"),
    world("pt-BR", "Tiếng Bồ Đào Nha (Brazil)", "Portuguese (Brazil)"),
    world("de", "Tiếng Đức", "German"),
    world("it", "Tiếng Ý", "Italian"),
    world("ja", "Tiếng Nhật", "Japanese"),
    world("ko", "Tiếng Hàn Quốc", "Korean"),
    world("lo", "Tiếng Lào", "Lao"),
    world("th", "Tiếng Thái Lan", "Thai"),
    world("my", "Tiếng Myanmar", "Burmese"),
    world("id", "Tiếng Indonesia", "Indonesian"),
    world("ms", "Tiếng Mã Lai", "Malay"),
    world("fil", "Tiếng Philippines", "Filipino"),
    world("hi", "Tiếng Hindi", "Hindi"),
    world("bn", "Tiếng Bengal", "Bengali"),
    world("ur", "Tiếng Urdu", "Urdu"),
    world("fa", "Tiếng Ba Tư", "Persian"),
    world("he", "Tiếng Do Thái", "Hebrew"),
    world("tr", "Tiếng Thổ Nhĩ Kỳ", "Turkish"),
    world("uk", "Tiếng Ukraina", "Ukrainian"),
    world("be", "Tiếng Belarus", "Belarusian"),
    world("pl", "Tiếng Ba Lan", "Polish"),
    world("cs", "Tiếng Séc", "Czech"),
    world("sk", "Tiếng Slovakia", "Slovak"),
    world("hu", "Tiếng Hungary", "Hungarian"),
    world("ro", "Tiếng Romania", "Romanian"),
    world("bg", "Tiếng Bulgaria", "Bulgarian"),
    world("el", "Tiếng Hy Lạp", "Greek"),
    world("nl", "Tiếng Hà Lan", "Dutch"),
    world("sv", "Tiếng Thụy Điển", "Swedish"),
    world("da", "Tiếng Đan Mạch", "Danish"),
    world("nb", "Tiếng Na Uy", "Norwegian"),
    world("fi", "Tiếng Phần Lan", "Finnish"),
    world("mn", "Tiếng Mông Cổ", "Mongolian"),
    world("kk", "Tiếng Kazakh", "Kazakh"),
    world("uz", "Tiếng Uzbek", "Uzbek"),
    world("sw", "Tiếng Swahili", "Swahili"),
    ethnic("km", "Tiếng Khmer", "Khmer"),
    ethnic("tyz", "Tiếng Tày", "Tay"),
    ethnic("nut", "Tiếng Nùng", "Nung"),
    ethnic("mtq", "Tiếng Mường", "Muong"),
    ethnic("hmn", "Tiếng Mông", "Hmong"),
    ethnic("mww", "Tiếng Mông Trắng", "White Hmong"),
    ethnic("ium", "Tiếng Dao", "Iu Mien"),
    ethnic("blt", "Tiếng Thái Đen", "Tai Dam"),
    ethnic("twh", "Tiếng Thái Trắng", "Tai Don"),
    ethnic("rad", "Tiếng Ê Đê", "Rade"),
    ethnic("jra", "Tiếng Gia Rai", "Jarai"),
    ethnic("bdq", "Tiếng Ba Na", "Bahnar"),
    ethnic("cjm", "Tiếng Chăm (Đông)", "Eastern Cham"),
    ethnic("cja", "Tiếng Chăm (Tây)", "Western Cham"),
    ethnic("sed", "Tiếng Xơ Đăng", "Sedang"),
    ethnic("kpm", "Tiếng Cơ Ho", "Koho"),
    ethnic("hre", "Tiếng Hrê", "Hre"),
    ethnic("cmo", "Tiếng Mnông (Trung)", "Central Mnong"),
    ethnic("mng", "Tiếng Mnông (Đông)", "Eastern Mnong"),
    ethnic("sti", "Tiếng Xtiêng", "Bulo Stieng"),
    ethnic("bru", "Tiếng Bru - Vân Kiều", "Eastern Bru"),
    ethnic("rog", "Tiếng Ra Glai", "Northern Roglai"),
    ethnic("jeh", "Tiếng Giẻ - Triêng", "Jeh"),
    ethnic("cje", "Tiếng Chu Ru", "Chru"),
    ethnic("cma", "Tiếng Mạ", "Maa"),
    ethnic("kjg", "Tiếng Khơ Mú", "Khmu"),
    ethnic("hni", "Tiếng Hà Nhì", "Hani"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Language;
    use super::*;

    #[test]
    fn each_language_has_one_tag_and_names_that_tell_it_from_others() {
        let mut seen = BTreeSet::new();
        for one in NAMED {
            assert_eq!(one.tag.parse::<Language>().expect(one.tag).as_str(), one.tag);
            for word in [one.tag, one.vi, one.en] {
                assert!(!word.is_empty() && seen.insert(word), "{word}");
            }
        }
        // Those that the ministry has named.
        for tag in ["km", "rad", "jra", "bdq", "cjm", "hmn", "blt"] {
            assert!(NAMED.iter().any(|one| one.tag == tag && one.ethnic), "{tag}");
        }
    }
}

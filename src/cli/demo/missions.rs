//! The ministry of the demonstration and its missions: names, places, zones, languages. Invented.

use std::borrow::Cow;

use crate::simulator::{Page, User, World, WorldSeed};

/// The ministry or a mission.
#[derive(Debug)]
pub(super) struct Mission {
    /// What it is called in Vietnamese.
    pub(super) vi: &'static str,
    /// And in English.
    pub(super) en: &'static str,
    /// What it calls itself on the platforms.
    pub(super) shown: &'static str,
    /// ISO 3166 code of the country where it works.
    pub(super) country: &'static str,
    /// Zone of its working day.
    pub(super) zone: &'static str,
    /// Its languages, the first being what its readers speak.
    pub(super) languages: &'static [&'static str],
    /// What follows `@`.
    pub(super) handle: &'static str,
}

impl Mission {
    /// Whether it is the ministry itself.
    pub(super) fn is_ministry(&self) -> bool {
        self.country == "VN"
    }
}

const fn mission(
    names: [&'static str; 3],
    country: &'static str,
    zone: &'static str,
    languages: &'static [&'static str],
    handle: &'static str,
) -> Mission {
    let [vi, en, shown] = names;
    Mission { vi, en, shown, country, zone, languages, handle }
}

/// The ministry first. In each language the missions speak in this order.
pub(super) const MISSIONS: [Mission; 23] = [
    mission(
        ["Bộ Ngoại giao", "Ministry of Foreign Affairs", "Bộ Ngoại giao Việt Nam"],
        "VN",
        "Asia/Ho_Chi_Minh",
        &["vi", "en"],
        "BoNgoaiGiaoDemo",
    ),
    mission(
        ["Đại sứ quán tại Nhật Bản", "Embassy in Japan", "Đại sứ quán Việt Nam tại Nhật Bản"],
        "JP",
        "Asia/Tokyo",
        &["vi", "en"],
        "VietNamTokyo",
    ),
    mission(
        ["Đại sứ quán tại Nepal", "Embassy in Nepal", "Embassy of Viet Nam in Nepal"],
        "NP",
        "Asia/Kathmandu",
        &["en", "vi"],
        "VietNamNepal",
    ),
    mission(
        ["Đại sứ quán tại Pháp", "Embassy in France", "Ambassade du Viet Nam en France"],
        "FR",
        "Europe/Paris",
        &["fr", "vi"],
        "VietNamParis",
    ),
    mission(
        ["Đại sứ quán tại Ai Cập", "Embassy in Egypt", "سفارة فيتنام في مصر"],
        "EG",
        "Africa/Cairo",
        &["ar", "vi"],
        "VietNamCairo",
    ),
    mission(
        ["Đại sứ quán tại Trung Quốc", "Embassy in China", "越南驻华大使馆"],
        "CN",
        "Asia/Shanghai",
        &["zh", "vi"],
        "VietNamBeijing",
    ),
    mission(
        ["Đại sứ quán tại Nga", "Embassy in Russia", "Посольство Вьетнама в России"],
        "RU",
        "Europe/Moscow",
        &["ru", "vi"],
        "VietNamMoscow",
    ),
    mission(
        ["Đại sứ quán tại Tây Ban Nha", "Embassy in Spain", "Embajada de Viet Nam en España"],
        "ES",
        "Europe/Madrid",
        &["es", "vi"],
        "VietNamMadrid",
    ),
    mission(
        ["Đại sứ quán tại Ấn Độ", "Embassy in India", "Embassy of Viet Nam in India"],
        "IN",
        "Asia/Kolkata",
        &["en", "vi"],
        "VietNamDelhi",
    ),
    mission(
        ["Đại sứ quán tại Senegal", "Embassy in Senegal", "Ambassade du Viet Nam au Sénégal"],
        "SN",
        "Africa/Dakar",
        &["fr", "vi"],
        "VietNamDakar",
    ),
    mission(
        ["Đại sứ quán tại Ả Rập Xê Út", "Embassy in Saudi Arabia", "سفارة فيتنام في السعودية"],
        "SA",
        "Asia/Riyadh",
        &["ar", "vi"],
        "VietNamRiyadh",
    ),
    mission(
        ["Đại sứ quán tại Singapore", "Embassy in Singapore", "越南驻新加坡大使馆"],
        "SG",
        "Asia/Singapore",
        &["zh", "en", "vi"],
        "VietNamSG",
    ),
    mission(
        ["Đại sứ quán tại Kazakhstan", "Embassy in Kazakhstan", "Посольство Вьетнама в Казахстане"],
        "KZ",
        "Asia/Almaty",
        &["ru", "vi"],
        "VietNamAstana",
    ),
    mission(
        ["Đại sứ quán tại Mexico", "Embassy in Mexico", "Embajada de Viet Nam en México"],
        "MX",
        "America/Mexico_City",
        &["es", "vi"],
        "VietNamMexico",
    ),
    mission(
        [
            "Đại sứ quán tại Hoa Kỳ",
            "Embassy in the United States",
            "Embassy of Viet Nam in the USA",
        ],
        "US",
        "America/New_York",
        &["en", "vi"],
        "VietNamUSA",
    ),
    mission(
        ["Đại sứ quán tại Iran", "Embassy in Iran", "Embassy of Viet Nam in Iran"],
        "IR",
        "Asia/Tehran",
        &["en", "vi"],
        "VietNamTehran",
    ),
    mission(
        ["Đại sứ quán tại Argentina", "Embassy in Argentina", "Embajada de Viet Nam en Argentina"],
        "AR",
        "America/Argentina/Buenos_Aires",
        &["es", "vi"],
        "VietNamBA",
    ),
    mission(
        ["Đại sứ quán tại Brazil", "Embassy in Brazil", "Đại sứ quán Việt Nam tại Brazil"],
        "BR",
        "America/Sao_Paulo",
        &["vi", "es"],
        "VietNamBrasilia",
    ),
    mission(
        ["Đại sứ quán tại Myanmar", "Embassy in Myanmar", "Embassy of Viet Nam in Myanmar"],
        "MM",
        "Asia/Yangon",
        &["en", "vi"],
        "VietNamYangon",
    ),
    mission(
        ["Đại sứ quán tại Canada", "Embassy in Canada", "Ambassade du Viet Nam au Canada"],
        "CA",
        "America/Toronto",
        &["fr", "en", "vi"],
        "VietNamOttawa",
    ),
    mission(
        ["Đại sứ quán tại Anh", "Embassy in the United Kingdom", "Embassy of Viet Nam in the UK"],
        "GB",
        "Europe/London",
        &["en", "vi"],
        "VietNamLondon",
    ),
    mission(
        ["Đại sứ quán tại Úc", "Embassy in Australia", "Embassy of Viet Nam in Australia"],
        "AU",
        "Australia/Sydney",
        &["en", "vi"],
        "VietNamCanberra",
    ),
    mission(
        [
            "Đại sứ quán tại Nam Phi",
            "Embassy in South Africa",
            "Embassy of Viet Nam in South Africa",
        ],
        "ZA",
        "Africa/Johannesburg",
        &["en", "vi"],
        "VietNamPretoria",
    ),
];

/// The missions that speak this language first, in order.
pub(super) fn speaking(language: &str) -> Vec<&'static Mission> {
    MISSIONS.iter().filter(|mission| mission.languages.first() == Some(&language)).collect()
}

/// A mission with what the simulated platforms know of it.
#[derive(Debug)]
pub(super) struct Presence {
    /// The mission.
    pub(super) mission: &'static Mission,
    /// Its Page.
    pub(super) page: Page,
    /// Its X account.
    pub(super) user: User,
}

/// All of them, under the ids and tokens that the simulators give out.
pub(super) fn presences() -> Vec<Presence> {
    let seed = WorldSeed::with_missions(MISSIONS.len() - 1);
    let named = MISSIONS.iter().zip(seed.accounts());
    named
        .map(|(mission, account)| {
            let name = Cow::from(mission.shown);
            Presence {
                mission,
                page: Page { name: name.to_string(), ..account.page.clone() },
                user: User {
                    name: name.into_owned(),
                    username: mission.handle.to_owned(),
                    ..account.user.clone()
                },
            }
        })
        .collect()
}

/// Brings them into a world.
pub(super) fn plant(presences: &[Presence], world: &World) {
    for one in presences {
        world.add_page(one.page.clone());
        world.add_user(one.user.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::texts::LANGUAGES;
    use super::*;

    #[test]
    fn the_missions_are_many_in_many_zones_and_speak_every_language() {
        let zones: HashSet<&str> = MISSIONS.iter().map(|one| one.zone).collect();
        assert_eq!(zones.len(), MISSIONS.len(), "each has a zone of its own");
        assert!(MISSIONS.len() > 16);
        let part_of_an_hour = MISSIONS.iter().filter(|one| {
            let zone = jiff::tz::TimeZone::get(one.zone).unwrap();
            zone.to_offset(jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(500_000))
                .seconds()
                % 3_600
                != 0
        });
        assert!(part_of_an_hour.count() >= 3);
        for language in LANGUAGES {
            assert!(speaking(language).len() >= 2, "{language}");
        }
        assert_eq!(MISSIONS.iter().filter(|one| one.is_ministry()).count(), 1);
        assert!(MISSIONS[0].is_ministry());
    }

    #[test]
    fn every_mission_has_its_own_accounts() {
        let all = presences();
        assert_eq!(all.len(), MISSIONS.len());
        let mut seen = HashSet::new();
        for one in &all {
            assert!(one.user.username.len() <= 15, "{}", one.user.username);
            assert!(seen.insert(one.user.username.clone()) && seen.insert(one.page.id.clone()));
            assert_eq!(one.page.name, one.mission.shown);
        }
    }
}

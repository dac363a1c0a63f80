//! What the ministry of the demonstration has to say, in seven languages. Invented.

use super::picture::Picture;

/// The languages, in the order in which they go out.
pub(super) const LANGUAGES: [&str; 7] = ["vi", "en", "fr", "ar", "zh", "ru", "es"];

/// One thing to say.
#[derive(Debug)]
pub(super) struct Topic {
    /// For the desk.
    pub(super) title: &'static str,
    /// How urgent it is.
    pub(super) class: &'static str,
    /// Where one reads more.
    pub(super) link: Option<&'static str>,
    /// What one sees.
    pub(super) picture: Option<Shown>,
    /// The text in each of [`LANGUAGES`].
    pub(super) texts: [&'static str; 7],
}

/// A picture and what it shows.
#[derive(Debug)]
pub(super) struct Shown {
    /// The picture.
    pub(super) picture: Picture,
    /// Alternative text in each of [`LANGUAGES`].
    pub(super) alt: [&'static str; 7],
}

pub(super) const TOPICS: [Topic; 6] = [
    Topic {
        title: "National Day",
        class: "statement",
        link: None,
        picture: Some(Shown {
            picture: Picture::Flag,
            alt: [
                "Lá cờ đỏ sao vàng",
                "A red flag with a golden star",
                "Un drapeau rouge à l’étoile d’or",
                "علم أحمر تتوسطه نجمة ذهبية",
                "金星红旗",
                "Красный флаг с золотой звездой",
                "Una bandera roja con una estrella dorada",
            ],
        }),
        texts: [
            "Kỷ niệm Quốc khánh 2/9: trân trọng cảm ơn bạn bè khắp năm châu đã đồng hành cùng Việt \
             Nam trên con đường hòa bình, hợp tác và phát triển.",
            "On Viet Nam’s National Day, 2 September, we thank our friends on every continent who \
             walk with us on the road of peace, cooperation and development.",
            "En ce 2 septembre, fête nationale du Viet Nam, merci à nos amis de tous les continents \
             qui avancent avec nous sur le chemin de la paix et de la coopération.",
            "في الثاني من سبتمبر، العيد الوطني لفيتنام، نشكر أصدقاءنا في كل القارات الذين يسيرون معنا \
             على طريق السلام والتعاون والتنمية.",
            "九月二日是越南国庆日。感谢五大洲的朋友们与越南携手同行，共促和平、合作与发展。",
            "2 сентября — Национальный день Вьетнама. Благодарим друзей на всех континентах, которые \
             идут вместе с нами дорогой мира, сотрудничества и развития.",
            "El 2 de septiembre, Día Nacional de Viet Nam, damos las gracias a los amigos de todos \
             los continentes que recorren con nosotros el camino de la paz y la cooperación.",
        ],
    },
    Topic {
        title: "Before you travel",
        class: "routine",
        link: Some("https://example.org/consular/travel"),
        picture: None,
        texts: [
            "Công dân đi nước ngoài: hãy đăng ký chuyến đi, lưu số điện thoại của cơ quan đại diện \
             gần nhất và giữ bản sao hộ chiếu tách khỏi bản chính.",
            "Travelling abroad? Register your trip, save the number of the nearest embassy, and keep \
             a copy of your passport apart from the original.",
            "Vous partez à l’étranger ? Inscrivez votre voyage, notez le numéro de l’ambassade la \
             plus proche et gardez une copie du passeport à part.",
            "هل تسافر إلى الخارج؟ سجّل رحلتك، واحفظ رقم أقرب سفارة، واحتفظ بنسخة من جواز سفرك \
             بعيدًا عن الأصل.",
            "出国旅行请先登记行程，记下就近使馆的电话，并将护照复印件与原件分开保管。",
            "Едете за границу? Зарегистрируйте поездку, сохраните телефон ближайшего посольства и \
             храните копию паспорта отдельно от оригинала.",
            "¿Viaja al extranjero? Registre su viaje, guarde el teléfono de la embajada más cercana \
             y lleve una copia del pasaporte separada del original.",
        ],
    },
    Topic {
        title: "An evening of water puppets",
        class: "routine",
        link: None,
        picture: None,
        texts: [
            "Tối thứ Bảy: múa rối nước, nhạc dân gian và áo dài tại sân trong của sứ quán. Vào cửa \
             tự do, xin mời cả gia đình. 🎋",
            "Saturday evening: water puppets, folk music and áo dài in the embassy’s courtyard. \
             Admission is free, bring the whole family. 🎋",
            "Samedi soir : marionnettes sur l’eau, musique populaire et áo dài dans la cour de \
             l’ambassade. Entrée libre, venez en famille. 🎋",
            "مساء السبت: عرائس الماء والموسيقى الشعبية وأزياء «آو زاي» في فناء السفارة. الدخول \
             مجاني، أهلًا بالعائلات. 🎋",
            "周六晚：水上木偶、民间音乐与奥黛，在使馆庭院与您相会。免费入场，欢迎全家光临。🎋",
            "В субботу вечером: театр кукол на воде, народная музыка и аозай во дворе посольства. \
             Вход свободный, приходите всей семьёй. 🎋",
            "El sábado por la noche: títeres de agua, música popular y áo dài en el patio de la \
             embajada. Entrada libre, vengan en familia. 🎋",
        ],
    },
    Topic {
        title: "Harvest on the terraces",
        class: "evergreen",
        link: None,
        picture: Some(Shown {
            picture: Picture::Terraces,
            alt: [
                "Ruộng bậc thang vàng óng dưới trời xanh",
                "Golden rice terraces under a blue sky",
                "Des rizières en terrasses dorées sous un ciel bleu",
                "مدرّجات أرز ذهبية تحت سماء زرقاء",
                "蓝天下的金色梯田",
                "Золотые рисовые террасы под синим небом",
                "Arrozales dorados en terrazas bajo un cielo azul",
            ],
        }),
        texts: [
            "Mùa lúa chín trên ruộng bậc thang Tây Bắc: mỗi bậc là công sức của nhiều thế hệ, mỗi \
             mùa vàng là một lời mời.",
            "Harvest time on the terraces of the north-west: every step the work of generations, \
             every golden season an invitation.",
            "Temps de moisson sur les rizières en terrasses du Nord-Ouest : chaque marche est \
             l’œuvre de générations, chaque saison dorée une invitation.",
            "موسم الحصاد في مدرّجات الأرز في الشمال الغربي: كل درجة عمل أجيال، وكل موسم ذهبي دعوة \
             إلى زيارتنا.",
            "西北梯田稻谷飘香：一级级田埂凝聚世代辛劳，一季季金黄都是邀请。",
            "Время жатвы на рисовых террасах северо-запада: каждая ступень — труд поколений, каждая \
             золотая пора — приглашение.",
            "Tiempo de cosecha en los arrozales del noroeste: cada escalón es obra de generaciones, \
             cada temporada dorada, una invitación.",
        ],
    },
    Topic {
        title: "Scholarships for next year",
        class: "routine",
        link: Some("https://example.org/scholarships"),
        picture: None,
        texts: [
            "Học bổng cho năm học tới đã mở đơn: ngôn ngữ, nông nghiệp, công nghệ. Hạn nộp hồ sơ là \
             ngày 30 tháng 11.",
            "Applications are open for next year’s scholarships in languages, agriculture and \
             technology. Closing date: 30 November.",
            "Les candidatures aux bourses de l’an prochain sont ouvertes : langues, agriculture, \
             technologies. Date limite : le 30 novembre.",
            "فُتح باب التقديم لمنح العام المقبل في اللغات والزراعة والتكنولوجيا. آخر موعد: 30 نوفمبر.",
            "明年度奖学金现已开放申请，涵盖语言、农业与技术专业，截止日期为11月30日。",
            "Открыт приём заявок на стипендии следующего года: языки, сельское хозяйство, \
             технологии. Последний день — 30 ноября.",
            "Abiertas las solicitudes de becas para el próximo año: idiomas, agricultura y \
             tecnología. Fecha límite: 30 de noviembre.",
        ],
    },
    Topic {
        title: "Autumn fair: coffee, tea and spices",
        class: "routine",
        link: Some("https://example.org/fair"),
        picture: None,
        texts: [
            "Cà phê, chè và gia vị từ cao nguyên: gặp ba mươi nhà sản xuất tại hội chợ mùa thu, gian \
             hàng Việt Nam, sảnh 4. ☕",
            "Coffee, tea and spices from the highlands: meet thirty growers at the autumn fair, Viet \
             Nam’s stand, hall 4. ☕",
            "Café, thé et épices des hauts plateaux : rencontrez trente producteurs à la foire \
             d’automne, pavillon du Viet Nam, hall 4. ☕",
            "قهوة وشاي وتوابل من المرتفعات: قابلوا ثلاثين منتجًا في معرض الخريف، جناح فيتنام، \
             القاعة 4. ☕",
            "高原咖啡、茶叶与香料：秋季展会四号馆越南展台，三十位种植者期待与您见面。☕",
            "Кофе, чай и пряности с нагорья: тридцать производителей на осенней ярмарке, стенд \
             Вьетнама, зал 4. ☕",
            "Café, té y especias del altiplano: conozca a treinta productores en la feria de otoño, \
             pabellón de Viet Nam, sala 4. ☕",
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let all: Vec<&str> = TOPICS.iter().flat_map(|topic| topic.texts).collect();
        let different: HashSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), different.len());
        assert!(all.iter().all(|text| !text.contains("  ")), "a line was broken badly");
    }
}

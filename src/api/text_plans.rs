//! Words for problems of posts, schedules and deliveries.

use super::text::{Words, words};

/// The table.
pub(super) const WORDS: &[Words] = &[
    words(
        "text_control_character",
        "Control characters",
        "Ký tự điều khiển",
        "Văn bản có ký tự điều khiển không được phép.",
    ),
    words("too_many", "Too many", "Quá nhiều", "Tối đa {max}."),
    words(
        "bad_link",
        "Not a link",
        "Liên kết không đúng",
        "Phải là địa chỉ http hoặc https, không có tên đăng nhập.",
    ),
    words(
        "bad_campaign",
        "Not a campaign",
        "Chiến dịch không đúng",
        "Phải là mã của một chiến dịch.",
    ),
    words(
        "source_language_missing",
        "No variant in the source language",
        "Thiếu bản ngôn ngữ gốc",
        "Phải có một bản bằng ngôn ngữ gốc {language}.",
    ),
    words(
        "post_changed",
        "The post has changed",
        "Bài viết đã thay đổi",
        "Bài viết vừa được sửa trong lúc lên lịch; hãy xem lại rồi lên lịch lại.",
    ),
    words(
        "deliveries_pending",
        "Deliveries are on their way",
        "Còn lượt đăng chưa xong",
        "Bài viết còn lượt đăng đang chờ; hãy huỷ hoặc chờ cho xong.",
    ),
    words(
        "approval_required",
        "Approval is required",
        "Cần phê duyệt",
        "Phiên bản này cần {needed} người duyệt ngoài những người viết, hiện có {given}: hãy đề nghị duyệt bằng \
         submit của bài, hoặc lên lịch với awaiting_approval để bài tự đăng khi được duyệt.",
    ),
    words(
        "approval_not_needed",
        "No approval is needed",
        "Không cần phê duyệt",
        "Bài của đơn vị này không cần duyệt: hãy lên lịch, huỷ hoặc tạm dừng các lượt đăng.",
    ),
    words(
        "approval_outdated",
        "The post has changed since",
        "Bài đã thay đổi",
        "Bài đã được sửa sau khi bạn xem: hãy xem bản hiện tại rồi quyết định.",
    ),
    words(
        "settings_not_approved",
        "The settings are not approved",
        "Thiết lập chưa được duyệt",
        "Thiết lập riêng của lượt đăng chỉ được duyệt cùng kế hoạch: hãy lên lịch với awaiting_approval.",
    ),
    words(
        "plan_changed",
        "Where or when it goes has changed",
        "Kế hoạch đăng đã thay đổi",
        "Có lượt đăng đang chờ duyệt cả nơi đăng và giờ đăng, hoặc vừa bị dời: hãy xem lại rồi gửi plan_hash \
         trong approvals của bài.",
    ),
    words(
        "own_work",
        "Nobody approves his own work",
        "Không tự duyệt bài của mình",
        "Người đã viết hoặc sửa bài không được duyệt bài đó; cần một người khác.",
    ),
    words(
        "nothing_to_withdraw",
        "There is nothing to take back",
        "Không có gì để rút lại",
        "Bạn không có phê duyệt nào còn hiệu lực cho bài này.",
    ),
    words(
        "correction_not_approved",
        "The correction is not approved",
        "Nội dung đính chính chưa được duyệt",
        "Đơn vị này cần phê duyệt: hãy sửa bài thành nội dung này, xin duyệt, rồi đính chính.",
    ),
    words(
        "account_not_connected",
        "The account is not connected",
        "Tài khoản chưa kết nối",
        "Tài khoản chưa đăng được bài; hãy kết nối lại trước.",
    ),
    words(
        "language_missing",
        "No variant in this language",
        "Thiếu bản ngôn ngữ này",
        "Bài viết chỉ có các ngôn ngữ: {languages}; hãy chọn một.",
    ),
    words(
        "when_not_clear",
        "Not clear when",
        "Không rõ thời điểm",
        "Hãy cho đúng một trong ba: at, local hoặc now: true.",
    ),
    words(
        "bad_instant",
        "Not an instant",
        "Thời điểm không đúng",
        "Phải là thời điểm có độ lệch múi giờ, ví dụ 2026-09-02T09:00:00+07:00.",
    ),
    words(
        "bad_date",
        "Not a day that exists",
        "Ngày không đúng",
        "Phải là một ngày có thật, ví dụ 2026-09-02.",
    ),
    words(
        "bad_time",
        "Not a time of day",
        "Giờ không đúng",
        "Phải là giờ từ 00:00 đến 23:59, ví dụ 09:00.",
    ),
    words(
        "time_skipped",
        "The clocks skip this time",
        "Giờ này không tồn tại",
        "Đồng hồ nơi đó nhảy qua giờ này; hãy chọn {first} hoặc {second}.",
    ),
    words(
        "time_ambiguous",
        "The clocks show this time twice",
        "Giờ này có hai lần",
        "Đồng hồ nơi đó có giờ này hai lần; hãy chọn {first} hoặc {second}.",
    ),
    words(
        "in_the_past",
        "It has passed",
        "Đã qua",
        "Thời điểm đã qua; muốn đăng ngay thì dùng now: true.",
    ),
    words(
        "absurd_date",
        "A date outside all reason",
        "Ngày không hợp lý",
        "Phải nằm trong mười năm tới.",
    ),
    words(
        "publish_by_not_after_due",
        "Useful only before it is due",
        "Hạn chót quá sớm",
        "Hạn chót phải sau giờ đăng.",
    ),
    words(
        "bad_setting",
        "Not a setting of the platform",
        "Thiết lập không đúng",
        "Nền tảng này không có thiết lập như vậy, hoặc giá trị không dùng được; danh mục nền tảng cho biết được đặt những gì.",
    ),
    words(
        "count_out_of_range",
        "Too few or too many",
        "Số lượng không đúng",
        "Phải có từ 1 đến {max} lượt đăng.",
    ),
    words(
        "post_or_post_id",
        "One of post and post_id",
        "Chọn post hoặc post_id",
        "Hãy cho đúng một trong hai: post hoặc post_id.",
    ),
    words(
        "already_leaving",
        "Already leaving",
        "Đang được gửi đi",
        "Đã quá muộn: lượt đăng đang được gửi đi ({state}).",
    ),
    words("already_ended", "Already at its end", "Đã kết thúc", "Lượt đăng đã kết thúc ({state})."),
    words(
        "not_now",
        "Not in this state",
        "Không làm được lúc này",
        "Không thể làm việc này khi lượt đăng đang ở trạng thái {state}.",
    ),
    words(
        "not_published",
        "Not out, so it cannot be recalled or corrected",
        "Chưa đăng nên không thu hồi hay đính chính được",
        "Chỉ thu hồi hoặc đính chính được bài đã đăng; lượt đăng hiện ở trạng thái {state}. Nếu chưa đăng thì hãy hủy; nếu đang gửi thì hãy chờ kết quả.",
    ),
    words(
        "being_recalled",
        "Being recalled",
        "Đang được thu hồi",
        "Bài đang được thu hồi nên không đính chính được.",
    ),
    words(
        "already_said",
        "It says so already",
        "Bài đã đúng như vậy",
        "Bài đang có đúng nội dung này; không có gì để đính chính.",
    ),
    words(
        "correction_not_possible",
        "Cannot be corrected there",
        "Không đính chính được trên nền tảng này",
        "{platform} không cho sửa bài này tại đây; hãy thu hồi rồi đăng bài mới, hoặc đăng thêm bài nói lại cho đúng.",
    ),
    words(
        "bad_overwrite",
        "Not the name of a text that is shown",
        "Không phải mã của nội dung đang hiện",
        "Phải là shown_hash của một đính chính đang dừng lại.",
    ),
    words(
        "not_quarantined",
        "Not in quarantine",
        "Không bị cách ly",
        "Cơ sở dữ liệu không ở trạng thái cách ly sau khôi phục; hệ thống đang đăng bài bình thường.",
    ),
    words(
        "still_in_doubt",
        "Still being looked for",
        "Vẫn đang được tìm",
        "Còn {count} lượt đăng đang được tìm trên nền tảng; hãy chờ, hoặc bắt buộc gỡ cách ly và nêu lý do.",
    ),
    words(
        "accounts_not_read",
        "Accounts not read through yet",
        "Chưa đọc hết các tài khoản",
        "Còn {count} tài khoản có lượt đăng sắp tới chưa được đọc lại trên nền tảng; hãy chờ, hoặc bắt buộc \
         gỡ cách ly và nêu lý do.",
    ),
    words(
        "clock_not_in_doubt",
        "This clock is not in doubt",
        "Đồng hồ này không bị nghi ngờ",
        "Đồng hồ này đang đáng tin hoặc đã lại bị chỉnh; hãy xem lại GET /api/v1/clock rồi xác nhận.",
    ),
    words(
        "not_asked",
        "No person was asked",
        "Chưa cần người quyết định",
        "Chỉ quyết định được khi lượt đăng ở trạng thái needs_human; hiện là {state}.",
    ),
    words(
        "already_adopted",
        "Belongs to another delivery",
        "Thuộc lượt đăng khác",
        "Một lượt đăng khác của tài khoản này đã có mã bài đó.",
    ),
    words(
        "remote_id_or_permalink",
        "Say where the post is",
        "Chưa cho biết bài ở đâu",
        "Hãy cho remote_id (mã bài trên nền tảng) hoặc permalink (địa chỉ của bài).",
    ),
    words(
        "link_elsewhere",
        "A link to somewhere else",
        "Liên kết không thuộc nền tảng",
        "Đây không phải địa chỉ của {platform}; hãy sao chép địa chỉ từ chính bài đăng.",
    ),
    words(
        "link_without_id",
        "A link without an id",
        "Liên kết không có mã bài",
        "Không đọc được mã bài từ địa chỉ này; hãy mở chính bài đăng rồi sao chép địa chỉ, hoặc gửi \
         remote_id.",
    ),
    words(
        "link_of_another_post",
        "A link to another post",
        "Liên kết của bài khác",
        "Liên kết này là của bài {found}, không khớp với remote_id đã cho.",
    ),
    words(
        "post_of_another_account",
        "A post of another account",
        "Bài của tài khoản khác",
        "Bài này thuộc tài khoản khác, không phải tài khoản của lượt đăng.",
    ),
    words(
        "post_not_there",
        "The platform shows no such post",
        "Không thấy bài trên nền tảng",
        "Nền tảng không có bài {value}; hãy kiểm tra lại địa chỉ hoặc mã bài.",
    ),
    words(
        "post_not_verified",
        "The post could not be read",
        "Chưa đọc được bài trên nền tảng",
        "Chưa đọc được bài trên nền tảng nên chưa thay đổi gì ({reason}); hãy kiểm tra kết nối của \
         tài khoản rồi thử lại.",
    ),
    words(
        "unknown_state",
        "Unknown state",
        "Không có trạng thái này",
        "Không có trạng thái này; xem tài liệu API.",
    ),
    words(
        "same_text_recently",
        "The same text again",
        "Trùng nội dung",
        "Nội dung này cũng đến cùng tài khoản trong vòng 24 giờ nên bị từ chối (lượt đăng thì đến giờ \
         đăng), trừ khi chủ ý lặp lại (intended_repeat là true).",
    ),
    words(
        "version_ends",
        "After the end of the platform's version",
        "Sau khi phiên bản của nền tảng hết hạn",
        "{platform} phiên bản {version} chỉ dùng được đến {until}; trước ngày đó quản trị viên phải đặt phiên bản \
         mới hơn.",
    ),
    words(
        "media_embargoed",
        "Under embargo",
        "Chưa được phép công bố",
        "Một ảnh hoặc video của lượt đăng chưa được công bố trước {until}.",
    ),
    words(
        "media_licence_ended",
        "The licence has ended",
        "Giấy phép đã hết hạn",
        "Giấy phép của một ảnh hoặc video trong lượt đăng hết hạn lúc {until}.",
    ),
    words(
        "never_shown",
        "It could never be shown",
        "Không bao giờ công bố được",
        "Giấy phép sẽ hết hạn trước khi hết thời gian chưa được công bố.",
    ),
    words(
        "credit_missing",
        "Somebody is not named",
        "Thiếu tên tác giả",
        "Nội dung chưa ghi {credit} như điều kiện sử dụng của ảnh hoặc video yêu cầu.",
    ),
    words(
        "same_minute",
        "Within a minute of another",
        "Quá sát nhau",
        "Một lượt đăng khác trên tài khoản này chỉ cách chưa đến một phút ({due}).",
    ),
    words(
        "same_text_many_accounts",
        "The same text on many accounts",
        "Một nội dung cho nhiều tài khoản",
        "Cùng một nội dung đến {count} tài khoản trên {platform}, trái quy định của nền tảng; hãy viết \
         nhiều bản khác nhau, hoặc đăng lại từ một tài khoản.",
    ),
    words(
        "does_not_fit",
        "More than fits",
        "Vượt mức cho phép",
        "Có {planned} lượt đăng trên tài khoản này trong {minutes} phút kể từ {from}, nhưng {platform} chỉ \
         cho {most}: ít nhất {over} lượt sẽ ra muộn hoặc bị lỡ. Hãy giãn thời điểm, hoặc lùi publish_by.",
    ),
];

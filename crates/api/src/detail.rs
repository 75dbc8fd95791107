//! What is told to people about a problem: each sentence once, in every language.

use language::sentence::Forms;
use taxi::distance::DistanceError;
use taxi::id::{CallId, NotAnId};
use taxi::money::FareError;
use taxi::rider::{TEXT_CHARS_MAX, TextFault};
use taxi::{call, drive, payment};

use crate::json::Flaw;

language::sentences! {
    pub(crate) enum Detail {
        // The request as a whole.
        NoSuchPath => "no service has this path", "이 경로를 가진 서비스가 없습니다";
        NoSuchDocument => "there is no such document", "그런 문서가 없습니다";
        MethodsInAllow => "the methods of this path are in the header Allow", "이 경로에서 쓸 수 있는 메서드는 Allow 헤더에 있습니다";
        ComesAs(types: Forms) => "this comes as {types}", "{types} 형식으로 제공됩니다";
        WantsToken => "this wants the header Authorization: Bearer, with the operator's token", "운영자 토큰을 담은 Authorization: Bearer 헤더가 필요합니다";
        OtherToken => "this is not the operator's token", "운영자 토큰이 아닙니다";
        HostIsNone => "the Host header is not a host", "Host 헤더가 호스트 이름이 아닙니다";
        HostTwice => "there is more than one Host header", "Host 헤더가 둘 이상입니다";
        HeaderUnreadable => "a header cannot be read", "헤더를 읽을 수 없습니다";
        HeaderTwice => "a header comes twice", "헤더가 두 번 나옵니다";
        KeyIsNone => "one Idempotency-Key of 1 to 255 visible ASCII characters is expected, bare or in double quotes", "Idempotency-Key는 하나여야 하며, 보이는 ASCII 문자 1~255자를 그대로 또는 큰따옴표로 감싸서 적어야 합니다";
        KeyReused => "use a new key for another request", "다른 요청에는 새 키를 사용하십시오";

        // Its body.
        BodyTooLarge(bytes: usize) => "a body may have {bytes} bytes", "본문은 최대 {bytes}바이트입니다";
        BodyBrokeOff => "the body broke off", "본문이 중간에 끊어졌습니다";
        BodyLate => "the body did not arrive in time", "본문이 제때 도착하지 않았습니다";
        TypeMissing => "one Content-Type is expected, such as application/json", "application/json과 같은 Content-Type이 하나 있어야 합니다";
        TypeUnreadable => "the Content-Type cannot be read", "Content-Type을 읽을 수 없습니다";
        TypeNotJson => "the body must be application/json", "본문은 application/json이어야 합니다";
        NotUtf8 => "JSON is written in UTF-8", "JSON은 UTF-8로 작성해야 합니다";
        Json(offset: usize, flaw: Flaw) => "at byte {offset}: {flaw}", "{offset}번째 바이트: {flaw}";
        Missing(name: &'static str) => "{name} is missing", "{name} 값이 없습니다";
        NotScalar(name: &'static str) => "{name} is a number or a text", "{name} 값은 숫자나 문자열이어야 합니다";
        NotText(name: &'static str) => "{name} is a text", "{name} 값은 문자열이어야 합니다";
        NotAnId(name: &'static str, most: u64) => "{name}: an id is a whole number from 1 to {most}", "{name}: 번호는 1부터 {most}까지의 정수입니다";
        TextEmpty(name: &'static str) => "{name} is empty", "{name} 값이 비어 있습니다";
        TextTooLong(name: &'static str, most: usize) => "{name} is longer than {most} characters", "{name} 값이 {most}자보다 깁니다";
        TextControl(name: &'static str) => "{name} has a control character", "{name} 값에 제어 문자가 있습니다";
        DistanceNotANumber => "the distance is not a number", "거리가 숫자가 아닙니다";
        DistanceNotPositive => "a distance is at least one metre", "거리는 1미터 이상이어야 합니다";
        DistanceTooLong => "a distance is at most 20,000 km", "거리는 20,000km 이하여야 합니다";
        FareNotANumber => "the fare is not a number", "요금이 숫자가 아닙니다";
        FareNotWhole => "a fare is in whole won", "요금은 원 단위의 정수여야 합니다";
        FareNegative => "a fare is not negative", "요금은 음수일 수 없습니다";
        FareTooMuch => "the fare has too many digits", "요금의 자릿수가 너무 많습니다";
        NoTestMethods => "payment methods for tests are not accepted here", "여기에서는 테스트용 결제 수단을 사용할 수 없습니다";
        NoSuchTestMethod => "there is no such payment method for tests; docs/api.md lists them", "그런 테스트용 결제 수단은 없습니다. 목록은 docs/api.md에 있습니다";
        NoLevel => "a level is error, warn, info, debug or trace, or one for each module: info,engine=debug", "로그 수준은 error, warn, info, debug, trace 가운데 하나이거나 info,engine=debug처럼 모듈별로 적습니다";

        // Its query.
        PercentOfNothing => "the address has a % that encodes nothing", "주소에 아무것도 나타내지 않는 %가 있습니다";
        AddressNotUtf8 => "the address encodes what is not UTF-8", "주소에 UTF-8이 아닌 값이 있습니다";
        GivenTwice(name: &'static str) => "{name} is given twice", "{name} 값이 두 번 주어졌습니다";
        NotDigits(name: &'static str) => "{name} is a whole number, written in digits alone", "{name} 값은 숫자로만 적은 정수여야 합니다";
        NoRows => "a page has at least one row", "한 페이지에는 적어도 한 줄이 있어야 합니다";
        NotOneOf(name: &'static str, known: String) => "{name} is one of {known}", "{name} 값은 다음 가운데 하나입니다: {known}";
        NotSortable(ids: String, status: &'static str) => "this can be sorted by {ids} or {status}", "정렬할 수 있는 필드는 {ids}, {status}입니다";
        NoDirection => "a direction is asc or desc", "정렬 방향은 asc 또는 desc입니다";
        AfterAndBefore => "a page lies after a row or before one", "페이지는 after와 before 가운데 하나만 받습니다";
        NoKeyOfALink => "this is not a key that a link carried", "링크에 있던 키가 아닙니다";
        OneFilter(path: &'static str, status: &'static str) => "{path} can be filtered by {status} alone; a single one is {path}/{{id}}", "{path} 목록은 {status}(으)로만 거를 수 있습니다. 하나만 읽으려면 {path}/{{id}}를 사용하십시오";
        NotOneOfTypes(known: String) => "type is one or more of {known}", "type 값은 다음 가운데 하나 이상입니다: {known}";
        NotCalls(most: usize) => "callId is the numbers of 1 to {most} calls, separated by commas", "callId 값은 쉼표로 구분한 호출 번호 1~{most}개입니다";
        NoBeginning => "a stream begins at 0, or after an id that it was given before", "스트림은 0 또는 앞서 받은 id 다음부터 시작합니다";
        IdOfOtherLog => "this id belongs to another log; the data was restored or is another's: begin anew from=0", "다른 로그의 id입니다. 데이터가 복구되었거나 다른 곳의 데이터이니 from=0부터 다시 시작하십시오";
        NoPosition => "this is not a position that a write was answered with", "쓰기 응답에서 받은 위치가 아닙니다";
        PositionOfOtherLog => "the position belongs to another log; the data was restored or is another's", "다른 로그의 위치입니다. 데이터가 복구되었거나 다른 곳의 데이터입니다";
        PositionBehindEnd => "the position lies behind the end of its log; the data was restored, or it was made up", "로그의 끝을 넘는 위치입니다. 데이터가 복구되었거나 지어낸 위치입니다";

        // What it asks for.
        NoSuchThing(path: &'static str, name: String) => "there is no {path}/{name}", "{path}/{name} 경로에는 아무것도 없습니다";
        NoSuchProblem => "there is no such type of problem", "그런 오류 유형이 없습니다";
        NoSuchLetter => "there is no such dead letter", "그런 보류 메시지가 없습니다";
        LetterGone => "the dead letter is gone; somebody else has dealt with it", "보류 메시지가 사라졌습니다. 다른 사람이 이미 처리했습니다";
        LetterSkipped => "the dead letter was passed over before, and stays so", "이미 건너뛴 보류 메시지이며 그대로 둡니다";
        NoSuchCall => "there is no such call", "그런 호출이 없습니다";
        CallOver(status: &'static str) => "the call is over: {status}", "호출이 이미 끝났습니다: {status}";
        NoSuchDrive => "there is no such drive", "그런 운행이 없습니다";
        DriveNotUnderWay(status: &'static str) => "the drive is not under way: {status}", "운행 중이 아닙니다: {status}";
        PaymentHasNotHeard => "payment has not heard of this call", "결제 서비스가 알지 못하는 호출입니다";
        FareIsAnother(won: i64) => "the fare of this call is {won} won", "이 호출의 요금은 {won}원입니다";
        PaymentRefused => "the payment provider refused", "결제사가 거절했습니다";
        PaymentGivenUp => "the provider did not answer in time; what it takes later goes back", "결제사가 제때 답하지 않았습니다. 나중에 출금되면 돌려드립니다";
        CallIsOff => "the call is off; its fare is not taken", "호출이 취소되어 요금을 받지 않습니다";

        // What cannot be done just now.
        CommandsWait => "too many commands wait already; nothing was stored", "대기 중인 명령이 너무 많습니다. 저장되지 않았습니다";
        Starting => "the process is starting and waits for its database; nothing was stored", "프로세스가 시작하는 중이며 데이터베이스를 기다립니다. 저장되지 않았습니다";
        Stopping => "the process is stopping; nothing was stored", "프로세스가 멈추는 중입니다. 저장되지 않았습니다";
        NoRoom => "the disk of the server is full but for what is under way; reads go on, try again later", "서버의 디스크가 가득 차서 진행 중인 일에만 쓰입니다. 읽기는 계속되니 나중에 다시 시도하십시오";
        RequestsWait => "too many requests wait already; nothing was stored", "대기 중인 요청이 너무 많습니다. 저장되지 않았습니다";
        AuditRuns => "an audit runs already; one is enough", "감사가 이미 진행 중입니다. 한 번에 하나만 할 수 있습니다";
        ReadersWait => "too many readers wait already", "대기 중인 읽기가 너무 많습니다";
        StreamsOpen => "too many event streams are open", "열려 있는 이벤트 스트림이 너무 많습니다";
        ClientStreamsOpen(most: usize) => "this client has {most} event streams open; close one first", "이 클라이언트가 이벤트 스트림 {most}개를 열어 두었습니다. 먼저 하나를 닫으십시오";
        RiderCallsTooOften => "this rider calls too often; nothing was stored", "이 승객의 호출이 너무 잦습니다. 저장되지 않았습니다";
        ViewIsDropped => "the view is being made anew from the events, and has not begun to read; ask again", "조회 화면을 이벤트로부터 다시 만드는 중이며 아직 읽기 시작하지 않았습니다. 다시 요청하십시오";
        ViewIsMadeAnew(read: u64, all: u64) => "the view is being made anew from the events: {read} of {all} are read; ask again", "조회 화면을 이벤트로부터 다시 만드는 중입니다: {all}개 가운데 {read}개를 읽었습니다. 다시 요청하십시오";
        ActStopped => "the process stopped before it could tell; look how it stands now", "결과를 알리기 전에 프로세스가 멈췄습니다. 지금 상태를 확인하십시오";
        ActLate => "the store has not answered in time; look how it stands now", "저장소가 제때 답하지 않았습니다. 지금 상태를 확인하십시오";
        NoNumbers => "no numbers for new calls are left just now; nothing was stored", "지금은 새 호출에 줄 번호가 없습니다. 저장되지 않았습니다";
        NotStored => "nothing was stored; try again", "저장되지 않았습니다. 다시 시도하십시오";
        Unreadable => "the store cannot be read; try again", "저장소를 읽을 수 없습니다. 다시 시도하십시오";
        NotReadYet => "it is not read yet; ask again", "아직 읽지 못했습니다. 다시 요청하십시오";
        Stopped => "the process stopped before it could tell; ask again with the same Idempotency-Key", "결과를 알리기 전에 프로세스가 멈췄습니다. 같은 Idempotency-Key로 다시 요청하십시오";
        StoreLate => "the store has not answered in time; ask again with the same Idempotency-Key", "저장소가 제때 답하지 않았습니다. 같은 Idempotency-Key로 다시 요청하십시오";
        DoneUnreadable => "it was carried out, and what came of it cannot be read; ask again with the same Idempotency-Key", "처리되었으나 결과를 읽을 수 없습니다. 같은 Idempotency-Key로 다시 요청하십시오";
        PaymentUnanswered => "the payment is asked for and not answered yet; ask again with the same Idempotency-Key", "결제를 요청했으나 아직 답이 없습니다. 같은 Idempotency-Key로 다시 요청하십시오";
        Internal => "nothing of this request was stored; the fault is logged", "이 요청은 저장되지 않았으며 오류는 로그에 기록되었습니다";
    }
}

impl Detail {
    pub(crate) fn not_an_id(name: &'static str, _: NotAnId) -> Self {
        Self::NotAnId(name, CallId::MAX)
    }

    pub(crate) fn of_text(name: &'static str, fault: TextFault) -> Self {
        match fault {
            TextFault::Empty => Self::TextEmpty(name),
            TextFault::TooLong => Self::TextTooLong(name, TEXT_CHARS_MAX),
            TextFault::ControlCharacter => Self::TextControl(name),
        }
    }
}

impl From<DistanceError> for Detail {
    fn from(error: DistanceError) -> Self {
        match error {
            DistanceError::NotANumber => Self::DistanceNotANumber,
            DistanceError::NotPositive => Self::DistanceNotPositive,
            DistanceError::TooLong => Self::DistanceTooLong,
        }
    }
}

impl From<FareError> for Detail {
    fn from(error: FareError) -> Self {
        match error {
            FareError::NotANumber => Self::FareNotANumber,
            FareError::NotWhole => Self::FareNotWhole,
            FareError::Negative => Self::FareNegative,
            FareError::TooMuch => Self::FareTooMuch,
        }
    }
}

impl From<call::Refusal> for Detail {
    fn from(refusal: call::Refusal) -> Self {
        match refusal {
            call::Refusal::Unknown => Self::NoSuchCall,
            call::Refusal::Over { status } => Self::CallOver(status.as_str()),
        }
    }
}

impl From<drive::Refusal> for Detail {
    fn from(refusal: drive::Refusal) -> Self {
        match refusal {
            drive::Refusal::Unknown => Self::NoSuchDrive,
            drive::Refusal::NotUnderWay { status } => Self::DriveNotUnderWay(status.as_str()),
        }
    }
}

impl From<payment::Refusal> for Detail {
    fn from(refusal: payment::Refusal) -> Self {
        match refusal {
            payment::Refusal::Unknown => Self::PaymentHasNotHeard,
            payment::Refusal::OtherFare { fare } => Self::FareIsAnother(fare.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use language::Language;
    use language::problem::Kind;
    use language::sentence::{Gap, faults};
    use taxi::money::Won;
    use taxi::status::{CallStatus, DriveStatus};

    #[test]
    fn every_detail_is_told_in_every_language() {
        assert_eq!(faults::<Detail>(), [""; 0]);
        assert_eq!(faults::<Flaw>(), [""; 0]);
    }

    /// What a page of a problem shows is what is answered; nothing where only the gateway answers it.
    fn answered(kind: Kind) -> Option<Detail> {
        Some(match kind {
            Kind::Malformed => Detail::Missing("distance"),
            Kind::Unauthorized => Detail::WantsToken,
            Kind::PaymentRefused => Detail::PaymentRefused,
            Kind::NotFound => Detail::NoSuchThing("/calls", "99".to_owned()),
            Kind::MethodNotAllowed => Detail::MethodsInAllow,
            Kind::NotAcceptable => Detail::ComesAs(Forms(crate::hal::FORMS)),
            Kind::RequestTimeout => Detail::BodyLate,
            Kind::NotAllowedNow => Detail::CallOver(CallStatus::DriveComplete.as_str()),
            Kind::OtherFare => Detail::FareIsAnother(100_000),
            Kind::OtherLog => Detail::PositionOfOtherLog,
            Kind::PayloadTooLarge => Detail::BodyTooLarge(65_536),
            Kind::UnsupportedMediaType => Detail::TypeNotJson,
            Kind::Impossible => Detail::DistanceNotPositive,
            Kind::KeyReused => Detail::KeyReused,
            Kind::Internal => Detail::Internal,
            Kind::TooBusy => Detail::CommandsWait,
            Kind::Unavailable => Detail::Unreadable,
            Kind::StorageFull => Detail::NoRoom,
            Kind::NotReadYet => Detail::NotReadYet,
            Kind::OutcomeUnknown => Detail::StoreLate,
            Kind::PaymentGivenUp => Detail::PaymentGivenUp,
            Kind::RateLimited | Kind::UpstreamBroken | Kind::UpstreamUnavailable | Kind::UpstreamTimeout => {
                return None;
            }
        })
    }

    #[test]
    fn the_example_of_a_problem_is_what_is_answered() {
        for kind in Kind::ALL {
            let Some(detail) = answered(*kind) else { continue };
            for language in Language::ALL {
                assert_eq!(kind.page().example.of(language), detail.told(language), "{kind:?}");
            }
        }
    }

    /// The business says the same where it speaks for itself, in logs.
    #[test]
    fn what_the_business_refuses_is_told_in_its_words() {
        let check = |detail: Detail, text: String| assert_eq!(detail.told(Language::English), text);
        for error in [DistanceError::NotANumber, DistanceError::NotPositive, DistanceError::TooLong] {
            check(error.into(), error.to_string());
        }
        for error in [FareError::NotANumber, FareError::NotWhole, FareError::Negative, FareError::TooMuch] {
            check(error.into(), error.to_string());
        }
        for fault in [TextFault::Empty, TextFault::TooLong, TextFault::ControlCharacter] {
            check(Detail::of_text("userId", fault), format!("userId {fault}"));
        }
        check(Detail::not_an_id("callId", NotAnId), format!("callId: {NotAnId}"));
        for refusal in [call::Refusal::Unknown, call::Refusal::Over { status: CallStatus::PayFail }] {
            check(refusal.into(), refusal.to_string());
        }
        for refusal in [drive::Refusal::Unknown, drive::Refusal::NotUnderWay { status: DriveStatus::Cancel }]
        {
            check(refusal.into(), refusal.to_string());
        }
        for refusal in [payment::Refusal::Unknown, payment::Refusal::OtherFare { fare: Won(7) }] {
            check(refusal.into(), refusal.to_string());
        }
    }
}

//! The types of problems, all on one list: each has one name, one status and one title in each language, for ever.

use crate::Language;

/// What is told in every language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    pub english: &'static str,
    pub korean: &'static str,
}

impl Words {
    pub fn of(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Korean => self.korean,
        }
    }
}

/// What a person who meets a problem wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub means: Words,
    pub comes: Words,
    /// What the client should do.
    pub advice: Words,
    /// The detail of an example.
    pub example: Words,
}

macro_rules! kinds {
    ($($kind:ident = $name:literal, $status:literal, $title:expr, {
        means: $means:expr, comes: $comes:expr, advice: $advice:expr, example: $example:expr,
    })*) => {
        /// What a program can rely on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($kind,)*
        }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The last segment of its type's URI, `/problems/<name>`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The status of HTTP that it comes with.
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$kind => $status,)*
                }
            }

            pub fn title(self) -> Words {
                match self {
                    $(Self::$kind => $title,)*
                }
            }

            pub fn page(self) -> Page {
                match self {
                    $(Self::$kind => Page {
                        means: $means,
                        comes: $comes,
                        advice: $advice,
                        example: $example,
                    },)*
                }
            }
        }
    };
}

impl Kind {
    /// The type's URI, relative to the origin.
    pub fn uri(self) -> String {
        format!("/problems/{}", self.name())
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

const fn words(english: &'static str, korean: &'static str) -> Words {
    Words { english, korean }
}

kinds! {
    Malformed = "malformed", 400, words("The request is malformed", "요청의 형식이 잘못되었습니다"), {
        means: words(
            "The request cannot be read: its JSON, a parameter or a header is not what it should be. Nothing was changed.",
            "요청을 읽을 수 없습니다. JSON이나 매개변수, 헤더가 올바르지 않습니다. 아무것도 바뀌지 않았습니다.",
        ),
        comes: words(
            "When a body is no JSON object or has a key twice, a field is missing or of another kind, a page is sorted by \
             what it cannot be sorted by, or the request is not well-formed HTTP. The status is 414 or 431 where the \
             address or the head is too long.",
            "본문이 JSON 객체가 아니거나 같은 키가 두 번 나올 때, 필드가 없거나 종류가 다를 때, 정렬할 수 없는 필드로 정렬할 \
             때, HTTP 형식이 올바르지 않을 때 발생합니다. 주소나 헤더가 너무 길면 상태 코드는 414 또는 431입니다.",
        ),
        advice: words(
            "Mend the request: `field` names what is no good and `detail` says why. Sent again as it is, it is refused again.",
            "요청을 고치십시오. `field`는 잘못된 곳을, `detail`은 그 이유를 알려 줍니다. 그대로 다시 보내면 다시 거절됩니다.",
        ),
        example: words("distance is missing", "distance 값이 없습니다"),
    }
    Unauthorized = "unauthorized", 401, words("This is for operators", "운영자만 사용할 수 있습니다"), {
        means: words(
            "The path is one of the operator's, and the request did not show the operator's token.",
            "운영자용 경로이지만 요청에 운영자 토큰이 없거나 토큰이 맞지 않습니다.",
        ),
        comes: words(
            "On every path under /operator, be it there or not, without the right header Authorization.",
            "/operator 아래의 모든 경로에서, 경로가 있든 없든 올바른 Authorization 헤더가 없으면 발생합니다.",
        ),
        advice: words(
            "Send `Authorization: Bearer <token>`. The token is the setting operator.token, or lies in the file \
             operator-token of the data directory.",
            "`Authorization: Bearer <토큰>`을 보내십시오. 토큰은 operator.token 설정값이거나 데이터 디렉터리의 \
             operator-token 파일에 있습니다.",
        ),
        example: words(
            "this wants the header Authorization: Bearer, with the operator's token",
            "운영자 토큰을 담은 Authorization: Bearer 헤더가 필요합니다",
        ),
    }
    PaymentRefused = "payment-refused", 402, words("The payment is refused", "결제가 거절되었습니다"), {
        means: words(
            "The payment provider refused to take the fare. Nothing was taken.",
            "결제사가 요금 결제를 거절했습니다. 출금된 금액은 없습니다.",
        ),
        comes: words("On /callpay alone.", "/callpay에서만 발생합니다."),
        advice: words(
            "Do not ask again for this call; the answer stays the same.",
            "같은 호출로 다시 요청하지 마십시오. 결과는 바뀌지 않습니다.",
        ),
        example: words("the payment provider refused", "결제사가 거절했습니다"),
    }
    NotFound = "not-found", 404, words("There is nothing here", "찾을 수 없습니다"), {
        means: words(
            "There is no such path, or nothing of this id.",
            "그런 경로가 없거나 그 번호에 해당하는 것이 없습니다.",
        ),
        comes: words(
            "When a path is spelled otherwise, or an id was never given. A service that follows another by events may \
             not have heard of a new id yet.",
            "경로의 철자가 다르거나 발급된 적이 없는 번호일 때 발생합니다. 이벤트를 받아 움직이는 서비스는 새 번호를 아직 \
             모를 수 있습니다.",
        ),
        advice: words(
            "Look at the path and the id. To see what was just written, bring the Taxisvc-Position of the write along.",
            "경로와 번호를 확인하십시오. 방금 쓴 것을 읽으려면 쓰기 응답의 Taxisvc-Position을 함께 보내십시오.",
        ),
        example: words("there is no /calls/99", "/calls/99 경로에는 아무것도 없습니다"),
    }
    MethodNotAllowed = "method-not-allowed", 405, words("This method is not allowed", "허용되지 않는 메서드입니다"), {
        means: words(
            "The path is there, but not with this method.",
            "경로는 있지만 이 메서드로는 사용할 수 없습니다.",
        ),
        comes: words(
            "For example when an answer is fetched with GET where only POST is known.",
            "예를 들어 POST만 허용되는 경로에 GET을 보낼 때 발생합니다.",
        ),
        advice: words(
            "Use one of the methods that the header Allow lists.",
            "Allow 헤더에 있는 메서드를 사용하십시오.",
        ),
        example: words(
            "the methods of this path are in the header Allow",
            "이 경로에서 쓸 수 있는 메서드는 Allow 헤더에 있습니다",
        ),
    }
    NotAcceptable = "not-acceptable", 406, words("No such form of it can be given", "요청한 형식으로 제공할 수 없습니다"), {
        means: words(
            "What was asked for does not come in any form that Accept names.",
            "Accept 헤더에 적힌 어떤 형식으로도 제공할 수 없습니다.",
        ),
        comes: words(
            "When Accept leaves out application/hal+json and application/json, or text/event-stream for events.",
            "Accept에 application/hal+json과 application/json이 없을 때, 이벤트라면 text/event-stream이 없을 때 발생합니다.",
        ),
        advice: words(
            "Ask for one of the forms that `detail` names, or send no Accept.",
            "`detail`에 적힌 형식 가운데 하나를 요청하거나 Accept를 보내지 마십시오.",
        ),
        example: words(
            "this comes as application/hal+json and application/json",
            "application/hal+json 또는 application/json 형식으로 제공됩니다",
        ),
    }
    RequestTimeout = "request-timeout", 408, words("The request did not arrive in time", "요청이 제때 도착하지 않았습니다"), {
        means: words(
            "The body of the request did not arrive whole within its time. Nothing was done.",
            "요청 본문이 정해진 시간 안에 모두 도착하지 않았습니다. 아무것도 처리되지 않았습니다.",
        ),
        comes: words(
            "When a connection is slow or breaks, or a length is announced that is never sent.",
            "연결이 느리거나 끊어졌을 때, 알린 길이만큼 보내지 않았을 때 발생합니다.",
        ),
        advice: words("Send it again.", "다시 보내십시오."),
        example: words("the body did not arrive in time", "본문이 제때 도착하지 않았습니다"),
    }
    NotAllowedNow = "not-allowed-now", 409, words("This is not allowed in this state", "현재 상태에서는 허용되지 않습니다"), {
        means: words(
            "It is there, but in a state in which this cannot be done any more, or not yet. The answer names the state.",
            "대상은 있지만 지금 상태에서는 이 작업을 할 수 없습니다. 이미 늦었거나 아직 이릅니다. 응답에 그 상태가 적혀 있습니다.",
        ),
        comes: words(
            "When a ride that is over is cancelled, or one is ended that never started.",
            "이미 끝난 호출을 취소하거나 시작되지 않은 운행을 종료하려 할 때 발생합니다.",
        ),
        advice: words(
            "Read it anew and go by its state. Asking again changes nothing by itself.",
            "대상을 다시 읽고 그 상태에 따르십시오. 다시 요청해도 결과는 바뀌지 않습니다.",
        ),
        example: words("the call is over: driveComplete", "호출이 이미 끝났습니다: driveComplete"),
    }
    OtherFare = "other-fare", 409, words("The fare is another", "요금이 다릅니다"), {
        means: words(
            "The call has another fare than the one that was to be paid. Nothing was taken.",
            "결제하려는 금액이 호출의 요금과 다릅니다. 출금된 금액은 없습니다.",
        ),
        comes: words("On /callpay alone.", "/callpay에서만 발생합니다."),
        advice: words("Pay the fare that `fare` names.", "`fare`에 적힌 요금으로 결제하십시오."),
        example: words("the fare of this call is 100000 won", "이 호출의 요금은 100000원입니다"),
    }
    OtherLog = "another-log", 409, words("The position is one of another log", "다른 로그의 위치입니다"), {
        means: words(
            "A position or an event id belongs to another data directory, or to one that was restored since.",
            "위치나 이벤트 id가 다른 데이터 디렉터리의 것이거나, 데이터가 복구되기 전에 받은 것입니다.",
        ),
        comes: words(
            "When at-least, from or Last-Event-ID was given by another system, or before a backup was restored.",
            "at-least나 from, Last-Event-ID가 다른 시스템에서 받은 것이거나 백업을 복구하기 전에 받은 것일 때 발생합니다.",
        ),
        advice: words(
            "Forget the position. A stream begins anew with from=0; what was heard before may come again.",
            "그 위치를 버리십시오. 스트림은 from=0부터 다시 시작하고, 이미 받은 이벤트가 다시 올 수 있습니다.",
        ),
        example: words(
            "the position belongs to another log; the data was restored or is another's",
            "다른 로그의 위치입니다. 데이터가 복구되었거나 다른 곳의 데이터입니다",
        ),
    }
    PayloadTooLarge = "payload-too-large", 413, words("The body is too large", "본문이 너무 큽니다"), {
        means: words(
            "The body has more bytes than are taken. Nothing was done.",
            "본문이 받을 수 있는 크기를 넘었습니다. 아무것도 처리되지 않았습니다.",
        ),
        comes: words("Above gateway.body_bytes_max, 64 KiB by default.", "gateway.body_bytes_max(기본값 64KiB)를 넘으면 발생합니다."),
        advice: words("Send less.", "본문을 줄여서 보내십시오."),
        example: words("a body may have 65536 bytes", "본문은 최대 65536바이트입니다"),
    }
    UnsupportedMediaType = "unsupported-media-type", 415, words("The body is not JSON", "본문이 JSON이 아닙니다"), {
        means: words(
            "The request does not say that its body is JSON in UTF-8.",
            "요청에 본문이 UTF-8로 쓴 JSON이라는 표시가 없습니다.",
        ),
        comes: words(
            "When Content-Type is missing or another; curl's -d alone sends a form.",
            "Content-Type이 없거나 다를 때 발생합니다. curl의 -d만 쓰면 양식(form)으로 전송됩니다.",
        ),
        advice: words(
            "Send `Content-Type: application/json`.",
            "`Content-Type: application/json`을 보내십시오.",
        ),
        example: words("the body must be application/json", "본문은 application/json이어야 합니다"),
    }
    Impossible = "impossible", 422, words("This cannot be done", "처리할 수 없는 요청입니다"), {
        means: words(
            "The request can be read, but asks for nothing that could be done. Nothing was changed.",
            "요청을 읽을 수는 있지만 처리할 수 없는 내용입니다. 아무것도 바뀌지 않았습니다.",
        ),
        comes: words(
            "For a distance of 0, below 0, above 20,000 km or NaN; a text that is empty or too long; a fare that is not whole.",
            "거리가 0이거나 음수, 20,000km 초과, NaN일 때, 문자열이 비었거나 너무 길 때, 요금이 정수가 아닐 때 발생합니다.",
        ),
        advice: words(
            "Change what `field` names. Sent again as it is, it is refused again.",
            "`field`가 가리키는 값을 바꾸십시오. 그대로 다시 보내면 다시 거절됩니다.",
        ),
        example: words("a distance is at least one metre", "거리는 1미터 이상이어야 합니다"),
    }
    KeyReused = "idempotency-key-reused", 422,
        words("The idempotency key came with another body before", "같은 멱등성 키가 다른 본문에 이미 쓰였습니다"), {
        means: words(
            "The Idempotency-Key was used on this route within 24 hours, with other bytes in the body. Nothing was done.",
            "같은 Idempotency-Key가 24시간 안에 같은 경로에서 다른 본문과 함께 쓰였습니다. 아무것도 처리되지 않았습니다.",
        ),
        comes: words(
            "When a program uses one key for two requests, or writes the same request differently when it repeats it.",
            "한 키를 두 요청에 쓰거나, 같은 요청을 다시 보내면서 본문을 다르게 쓸 때 발생합니다.",
        ),
        advice: words(
            "Use a new key for a new request; repeat a request byte by byte.",
            "새 요청에는 새 키를 쓰고, 반복할 때는 본문을 그대로 보내십시오.",
        ),
        example: words("use a new key for another request", "다른 요청에는 새 키를 사용하십시오"),
    }
    RateLimited = "rate-limited", 429, words("Too many requests from this client", "요청이 너무 많습니다"), {
        means: words(
            "This client or this rider asks more than its share. Nothing was done.",
            "이 클라이언트 또는 이 승객의 요청이 허용량을 넘었습니다. 아무것도 처리되지 않았습니다.",
        ),
        comes: words(
            "Above the settings gateway.rate_limit_per_second, limits.calls_per_rider_per_minute and \
             limits.streams_per_client_max.",
            "gateway.rate_limit_per_second, limits.calls_per_rider_per_minute, limits.streams_per_client_max 설정을 넘으면 \
             발생합니다.",
        ),
        advice: words(
            "Wait as many seconds as Retry-After says, then ask again.",
            "Retry-After에 적힌 초만큼 기다린 뒤 다시 요청하십시오.",
        ),
        example: words("this client asks more than its share", "이 클라이언트의 요청이 허용량을 넘었습니다"),
    }
    Internal = "internal", 500, words("The fault is ours", "서버 오류입니다"), {
        means: words(
            "Something is broken on our side. Nothing of the request was stored.",
            "서버 쪽에 문제가 있습니다. 이 요청은 저장되지 않았습니다.",
        ),
        comes: words("It should not come at all.", "발생해서는 안 되는 오류입니다."),
        advice: words(
            "Tell the operator the requestId, under which it is logged.",
            "운영자에게 requestId를 알려 주십시오. 그 값으로 로그에 남아 있습니다.",
        ),
        example: words(
            "nothing of this request was stored; the fault is logged",
            "이 요청은 저장되지 않았으며 오류는 로그에 기록되었습니다",
        ),
    }
    UpstreamBroken = "upstream-broken", 502, words("The service broke off its answer", "서비스의 응답이 끊어졌습니다"), {
        means: words(
            "A replica broke off before it answered. It was asked to read only, so nothing was changed.",
            "서비스가 응답하기 전에 연결이 끊어졌습니다. 읽기 요청이었으므로 아무것도 바뀌지 않았습니다.",
        ),
        comes: words(
            "At a gateway whose services run elsewhere, when one of them stops.",
            "서비스가 다른 곳에서 실행되는 게이트웨이에서, 그 가운데 하나가 멈출 때 발생합니다.",
        ),
        advice: words("Ask again after Retry-After.", "Retry-After만큼 기다린 뒤 다시 요청하십시오."),
        example: words("the connection broke before the answer", "응답 전에 연결이 끊어졌습니다"),
    }
    TooBusy = "too-busy", 503, words("Too much at once; nothing was stored", "요청이 몰려 저장하지 못했습니다"), {
        means: words(
            "More is asked at once than is worked on. Nothing of the request was stored.",
            "한꺼번에 처리할 수 있는 양을 넘었습니다. 이 요청은 저장되지 않았습니다.",
        ),
        comes: words(
            "Under load, or while the process stops.",
            "부하가 높을 때나 프로세스가 멈추는 중일 때 발생합니다.",
        ),
        advice: words(
            "Ask again after Retry-After, with the same Idempotency-Key.",
            "Retry-After만큼 기다린 뒤 같은 Idempotency-Key로 다시 요청하십시오.",
        ),
        example: words(
            "too many commands wait already; nothing was stored",
            "대기 중인 명령이 너무 많습니다. 저장되지 않았습니다",
        ),
    }
    Unavailable = "unavailable", 503, words("The store is not to be had just now; nothing was stored", "지금은 저장소를 쓸 수 없어 저장하지 못했습니다"), {
        means: words(
            "What is asked for can be neither read nor stored at the moment. Nothing of the request was stored.",
            "요청한 내용을 지금은 읽을 수도 저장할 수도 없습니다. 이 요청은 저장되지 않았습니다.",
        ),
        comes: words(
            "When the database is away or fails, when a process that is starting waits for it, and on /callViews while the view is made anew from the events.",
            "데이터베이스가 없거나 문제가 있을 때, 시작하는 프로세스가 데이터베이스를 기다릴 때, 그리고 /callViews에서는 조회 화면을 이벤트로부터 다시 만드는 동안 발생합니다.",
        ),
        advice: words(
            "Ask again after Retry-After, a write with the same Idempotency-Key. Calls, payments and drives can be read while the view is made.",
            "Retry-After만큼 기다린 뒤 다시 요청하십시오. 쓰기 요청에는 같은 Idempotency-Key를 쓰십시오. 조회 화면을 다시 만드는 동안에도 호출, 결제, 운행은 읽을 수 있습니다.",
        ),
        example: words("the store cannot be read; try again", "저장소를 읽을 수 없습니다. 다시 시도하십시오"),
    }
    StorageFull = "storage-full", 503, words("There is no room for anything new; nothing was stored", "저장 공간이 부족하여 저장하지 못했습니다"), {
        means: words(
            "The disk is nearly full. New requests are refused, so that those under way can come to their end. Nothing was stored.",
            "디스크가 거의 찼습니다. 진행 중인 요청을 끝낼 수 있도록 새 요청을 거절합니다. 저장된 것은 없습니다.",
        ),
        comes: words(
            "When less than store.room_min_bytes are free where the data lies. Reads are answered all the time.",
            "데이터가 있는 디스크의 여유 공간이 store.room_min_bytes보다 적을 때 발생합니다. 읽기는 계속됩니다.",
        ),
        advice: words(
            "Ask again later; the operator has to make room.",
            "나중에 다시 요청하십시오. 운영자가 공간을 확보해야 합니다.",
        ),
        example: words(
            "the disk of the server is full but for what is under way; reads go on, try again later",
            "서버의 디스크가 가득 차서 진행 중인 일에만 쓰입니다. 읽기는 계속되니 나중에 다시 시도하십시오",
        ),
    }
    NotReadYet = "not-read-yet", 503, words("What was asked for is not read yet", "아직 읽지 못한 내용입니다"), {
        means: words(
            "The service has not read as far as at-least asks for.",
            "서비스가 at-least로 요청한 위치까지 아직 읽지 못했습니다.",
        ),
        comes: words(
            "When it has not come so far within answers.wait_ms.",
            "answers.wait_ms 안에 그 위치에 이르지 못하면 발생합니다.",
        ),
        advice: words(
            "Ask again after Retry-After, or without at-least for what is there now.",
            "Retry-After만큼 기다린 뒤 다시 요청하거나, at-least 없이 지금 있는 내용을 요청하십시오.",
        ),
        example: words("it is not read yet; ask again", "아직 읽지 못했습니다. 다시 요청하십시오"),
    }
    UpstreamUnavailable = "upstream-unavailable", 503, words("The service cannot be reached", "서비스에 연결할 수 없습니다"), {
        means: words(
            "No replica of the service could be reached. Nothing was done.",
            "서비스의 어느 복제본에도 연결하지 못했습니다. 아무것도 처리되지 않았습니다.",
        ),
        comes: words(
            "At a gateway whose services run elsewhere, while they are away.",
            "서비스가 다른 곳에서 실행되는 게이트웨이에서, 서비스가 꺼져 있는 동안 발생합니다.",
        ),
        advice: words("Ask again after Retry-After.", "Retry-After만큼 기다린 뒤 다시 요청하십시오."),
        example: words(
            "no replica could be reached; nothing was done",
            "연결할 수 있는 복제본이 없습니다. 아무것도 처리되지 않았습니다",
        ),
    }
    OutcomeUnknown = "outcome-unknown", 504, words("Whether this was done is not known", "처리 여부를 알 수 없습니다"), {
        means: words(
            "The request was passed on and no word came back: it may be done, or not.",
            "요청을 전달했지만 답을 받지 못했습니다. 처리되었을 수도, 아닐 수도 있습니다.",
        ),
        comes: words(
            "When a process dies while it works, or its store does not answer in time.",
            "처리하는 동안 프로세스가 죽거나 저장소가 제때 답하지 않을 때 발생합니다.",
        ),
        advice: words(
            "Ask again with the same Idempotency-Key: it is done once, and you get its answer. Without a key, look first \
             whether it was done.",
            "같은 Idempotency-Key로 다시 요청하십시오. 한 번만 처리되고 그 결과를 받습니다. 키가 없었다면 처리되었는지 먼저 \
             확인하십시오.",
        ),
        example: words(
            "the store has not answered in time; ask again with the same Idempotency-Key",
            "저장소가 제때 답하지 않았습니다. 같은 Idempotency-Key로 다시 요청하십시오",
        ),
    }
    PaymentGivenUp = "payment-given-up", 504, words("The payment is given up for good", "결제를 완전히 포기했습니다"), {
        means: words(
            "The payment provider did not answer in time, and the payment is given up. What it takes later goes back.",
            "결제사가 제때 답하지 않아 결제를 포기했습니다. 나중에 출금되면 돌려드립니다.",
        ),
        comes: words("On /callpay alone.", "/callpay에서만 발생합니다."),
        advice: words(
            "Do not ask again for this call; the rider has to call anew.",
            "같은 호출로 다시 요청하지 마십시오. 승객이 다시 호출해야 합니다.",
        ),
        example: words(
            "the provider did not answer in time; what it takes later goes back",
            "결제사가 제때 답하지 않았습니다. 나중에 출금되면 돌려드립니다",
        ),
    }
    UpstreamTimeout = "upstream-timeout", 504, words("The service did not answer in time", "서비스가 제때 답하지 않았습니다"), {
        means: words(
            "The answer to a read did not come in time. Nothing was changed.",
            "읽기 요청에 대한 답이 제때 오지 않았습니다. 아무것도 바뀌지 않았습니다.",
        ),
        comes: words(
            "When a service takes longer than gateway.request_timeout_ms.",
            "서비스의 응답이 gateway.request_timeout_ms보다 오래 걸릴 때 발생합니다.",
        ),
        advice: words("Ask again.", "다시 요청하십시오."),
        example: words("the answer did not come in time", "답이 제때 오지 않았습니다"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentence::is_in;

    #[test]
    fn every_kind_is_told_in_every_language() {
        for kind in Kind::ALL {
            let page = kind.page();
            for words in [kind.title(), page.means, page.comes, page.advice, page.example] {
                for language in Language::ALL {
                    assert!(is_in(words.of(language), language), "{kind:?} in {language:?}: {words:?}");
                    let is_mixed = language == Language::Korean && words.korean.contains(" and ");
                    assert!(!is_mixed, "English in the middle of {words:?}");
                }
            }
        }
    }

    #[test]
    fn a_kind_is_found_by_its_name_and_no_name_comes_twice() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(*kind));
        }
        assert_eq!(Kind::named("nothing"), None);
    }
}

/* The ledger: counting, the ring, sinks, and events as text. */
#include "emu/event.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

struct heard {
    struct event_sink sink;
    struct ledger *ledger;
    unsigned events;
    struct event last;
    bool once; /* removes itself */
};

static void on_event(void *ctx, const struct event *event)
{
    struct heard *h = ctx;

    h->events++;
    h->last = *event;
    if (h->once)
        ledger_remove_sink(h->ledger, &h->sink);
}

static void listen_to(struct heard *h, struct ledger *ledger, uint32_t kinds)
{
    memset(h, 0, sizeof(*h));
    h->ledger = ledger;
    h->sink =
        (struct event_sink){.on_event = on_event, .ctx = h, .kinds = kinds};
    ledger_add_sink(ledger, &h->sink);
}

static void publish(struct ledger *ledger, enum event_kind kind,
                    unsigned reason, unsigned detail)
{
    struct event event = {.kind = (uint8_t)kind,
                          .reason = (uint16_t)reason,
                          .detail = (uint8_t)detail};

    ledger_publish(ledger, &event);
}

static void counting_needs_no_listener(void)
{
    struct ledger ledger;

    CU_ASSERT_EQUAL_FATAL(ledger_init(&ledger), 0);
    publish(&ledger, EVENT_EXCEPTION, 14, 0);
    publish(&ledger, EVENT_EXCEPTION, 14, 0);
    publish(&ledger, EVENT_IRQ, 0x30, 0);
    publish(&ledger, EVENT_SENSITIVE, 0, SENSITIVE_POPF);
    publish(&ledger, EVENT_PAGING, 0, PAGING_CR3);
    CU_ASSERT_EQUAL(ledger.seq, 5);
    CU_ASSERT_EQUAL(ledger.count[EVENT_EXCEPTION], 2);
    CU_ASSERT_EQUAL(ledger.count[EVENT_IRQ], 1);
    CU_ASSERT_EQUAL(ledger.vector_count[14], 2);
    CU_ASSERT_EQUAL(ledger.vector_count[0x30], 1);
    CU_ASSERT_EQUAL(ledger.sensitive_count[SENSITIVE_POPF], 1);
    CU_ASSERT_EQUAL(ledger.paging_count[PAGING_CR3], 1);
    CU_ASSERT_EQUAL(ledger.wanted, 0);
    ledger_fini(&ledger);
}

static void impossible_kinds_and_details_touch_nothing(void)
{
    struct ledger ledger;
    char text[256];

    ledger_init(&ledger);
    ledger_record(&ledger, UINT32_MAX);
    for (unsigned kind = 0; kind < 256; kind++) {
        for (unsigned detail = 0; detail < 256; detail += 5) {
            struct event e = {.kind = (uint8_t)kind,
                              .reason = 0xFFFF,
                              .detail = (uint8_t)detail};
            ledger_publish(&ledger, &e);
            event_format(&e, text, sizeof(text));
            event_json(&e, text, sizeof(text));
        }
    }
    uint64_t total = 0;
    for (unsigned kind = 0; kind < EVENT_KINDS; kind++)
        total += ledger.count[kind];
    CU_ASSERT_EQUAL(total, EVENT_KINDS * 52);
    CU_ASSERT_STRING_EQUAL(event_kind_name((enum event_kind)99), "unknown");
    CU_ASSERT_STRING_EQUAL(sensitive_name((enum sensitive)200), "unknown");
    ledger_fini(&ledger);
}

static void sinks_hear_their_kinds_only(void)
{
    struct ledger ledger;
    struct heard pio, rest;

    ledger_init(&ledger);
    listen_to(&pio, &ledger, 1u << EVENT_PIO);
    CU_ASSERT_EQUAL(ledger.wanted, 1u << EVENT_PIO);
    listen_to(&rest, &ledger, EVENT_ALL & ~(1u << EVENT_PIO));
    CU_ASSERT_EQUAL(ledger.wanted, EVENT_ALL);
    publish(&ledger, EVENT_PIO, 0, 0);
    publish(&ledger, EVENT_HLT, 0, 0);
    publish(&ledger, EVENT_MMIO, 0, 0);
    CU_ASSERT_EQUAL(pio.events, 1);
    CU_ASSERT_EQUAL(pio.last.seq, 1);
    CU_ASSERT_EQUAL(rest.events, 2);
    CU_ASSERT_EQUAL(rest.last.seq, 3);
    ledger_remove_sink(&ledger, &rest.sink);
    CU_ASSERT_EQUAL(ledger.wanted, 1u << EVENT_PIO);
    publish(&ledger, EVENT_HLT, 0, 0);
    CU_ASSERT_EQUAL(rest.events, 2);
    ledger_fini(&ledger);
}

static void sink_may_remove_itself(void)
{
    struct ledger ledger;
    struct heard once, always;

    ledger_init(&ledger);
    listen_to(&once, &ledger, EVENT_ALL);
    once.once = true;
    listen_to(&always, &ledger, EVENT_ALL);
    publish(&ledger, EVENT_HLT, 0, 0);
    publish(&ledger, EVENT_HLT, 0, 0);
    CU_ASSERT_EQUAL(once.events, 1);
    CU_ASSERT_EQUAL(always.events, 2);
    ledger_fini(&ledger);
}

static void ring_keeps_recorded_kinds_by_sequence(void)
{
    struct ledger ledger;

    ledger_init(&ledger);
    ledger_record(&ledger, 1u << EVENT_IRQ);
    for (unsigned i = 0; i < EVENT_RING * 2 + 10; i++)
        publish(&ledger, i % 2 ? EVENT_IRQ : EVENT_PIO, i & 0xFF, 0);
    for (uint64_t seq = ledger.seq; seq > ledger.seq - EVENT_RING; seq--) {
        const struct event *e = &ledger.ring[seq & (EVENT_RING - 1)];
        if (seq % 2 == 0) { /* the first event, a PIO, was number 1 */
            CU_ASSERT_EQUAL_FATAL(e->seq, seq);
            CU_ASSERT_EQUAL_FATAL(e->kind, EVENT_IRQ);
        } else {
            CU_ASSERT_NOT_EQUAL_FATAL(e->seq, seq);
        }
    }
    ledger_record(&ledger, 0);
    CU_ASSERT_EQUAL(ledger.wanted, 0);
    ledger_fini(&ledger);
}

static void every_name_is_there_and_its_own(void)
{
    for (unsigned i = 0; i < EVENT_KINDS; i++) {
        for (unsigned j = 0; j < i; j++)
            CU_ASSERT_STRING_NOT_EQUAL(event_kind_name((enum event_kind)i),
                                       event_kind_name((enum event_kind)j));
        CU_ASSERT_STRING_NOT_EQUAL(event_kind_name((enum event_kind)i),
                                   "unknown");
    }
    for (unsigned i = 0; i < SENSITIVE_KINDS; i++) {
        for (unsigned j = 0; j < i; j++)
            CU_ASSERT_STRING_NOT_EQUAL(sensitive_name((enum sensitive)i),
                                       sensitive_name((enum sensitive)j));
        CU_ASSERT_STRING_NOT_EQUAL(sensitive_name((enum sensitive)i),
                                   "unknown");
    }
}

static void text_line_says_what_happened(void)
{
    char text[256];
    struct event out = {.seq = 12,
                        .time_ns = UINT64_C(3000000045),
                        .rip = 0xFE05B,
                        .kind = EVENT_PIO,
                        .addr = 0x70,
                        .value = 0x8F,
                        .size = 1,
                        .write = 1,
                        .reason = 30};
    struct event fault = {.seq = 13,
                          .kind = EVENT_EXCEPTION,
                          .reason = 14,
                          .value = 2,
                          .addr = 0xC0DE};

    size_t length = event_format(&out, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "12 3.000000045 cpu0 00000000000fe05b pio "
                                 "out port 0x0070 size 1 value 0x8f");
    CU_ASSERT_EQUAL(length, strlen(text));
    event_format(&fault, text, sizeof(text));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "exception vector 14 #PF error 0x2 cr2 0xc0de"));
}

static void text_is_cut_to_the_buffer_and_length_is_whole(void)
{
    char full[512], text[512];
    struct event e = {.seq = UINT64_MAX,
                      .time_ns = UINT64_MAX,
                      .rip = UINT64_MAX,
                      .addr = UINT64_MAX,
                      .value = UINT64_MAX,
                      .cost_ns = UINT64_MAX,
                      .cpu = UINT16_MAX,
                      .reason = UINT16_MAX,
                      .size = 8};

    for (unsigned kind = 0; kind < EVENT_KINDS; kind++) {
        e.kind = (uint8_t)kind;
        size_t whole = event_json(&e, full, sizeof(full));
        CU_ASSERT_EQUAL(whole, strlen(full));
        CU_ASSERT(event_format(&e, full, sizeof(full)) < 250);
        CU_ASSERT_EQUAL(event_json(&e, text, 20), whole);
        CU_ASSERT_EQUAL(strlen(text), 19);
    }
}

static void json_has_addresses_as_strings(void)
{
    char text[512];
    struct event e = {.seq = 7,
                      .kind = EVENT_PAGING,
                      .detail = PAGING_INVLPG,
                      .addr = UINT64_C(0xFFFF800000001000)};

    event_json(&e, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(
        text, "{\"seq\":7,\"time_ns\":0,\"cpu\":0,\"rip\":\"0x0\","
              "\"kind\":\"paging\",\"detail\":\"invlpg\",\"reason\":0,"
              "\"addr\":\"0xffff800000001000\",\"value\":\"0x0\","
              "\"size\":0,\"write\":false,\"cost_ns\":0}");
}

static const struct test tests[] = {
    {"counting_needs_no_listener", counting_needs_no_listener},
    {"impossible_kinds_and_details_touch_nothing",
     impossible_kinds_and_details_touch_nothing},
    {"sinks_hear_their_kinds_only", sinks_hear_their_kinds_only},
    {"sink_may_remove_itself", sink_may_remove_itself},
    {"ring_keeps_recorded_kinds_by_sequence",
     ring_keeps_recorded_kinds_by_sequence},
    {"every_name_is_there_and_its_own", every_name_is_there_and_its_own},
    {"text_line_says_what_happened", text_line_says_what_happened},
    {"text_is_cut_to_the_buffer_and_length_is_whole",
     text_is_cut_to_the_buffer_and_length_is_whole},
    {"json_has_addresses_as_strings", json_has_addresses_as_strings},
    {NULL, NULL},
};
TEST_MAIN("event", tests)

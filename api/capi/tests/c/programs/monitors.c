/* Events arrive in libzmq's frames, in libzmq's order. */
#include "check.h"

static uint16_t event_v1(void *monitor, uint32_t *value, char *endpoint)
{
    unsigned char head[6];
    uint16_t event;
    CHECK(zmq_recv(monitor, head, sizeof head, 0) == 6);
    CHECK(get_int(monitor, ZMQ_RCVMORE) == 1);
    memcpy(&event, head, 2);
    memcpy(value, head + 2, 4);
    int size = zmq_recv(monitor, endpoint, 255, 0);
    CHECK(size >= 0);
    endpoint[size] = 0;
    CHECK(get_int(monitor, ZMQ_RCVMORE) == 0);
    return event;
}

static uint64_t number(void *monitor)
{
    uint64_t number;
    CHECK(zmq_recv(monitor, &number, sizeof number, 0) == sizeof number);
    return number;
}

int main(void)
{
    void *context = zmq_ctx_new();
    void *pull = zmq_socket(context, ZMQ_PULL);
    void *push = zmq_socket(context, ZMQ_PUSH);
    char endpoint[256], bound[256];
    size_t size = sizeof bound;
    uint32_t value;

    FAILS(zmq_socket_monitor(pull, "tcp://127.0.0.1:*", ZMQ_EVENT_ALL), EPROTONOSUPPORT);
    FAILS(zmq_socket_monitor(pull, "nonsense", ZMQ_EVENT_ALL), EINVAL);
    FAILS(zmq_socket_monitor(pull, "inproc://m", 0x10000), EINVAL);
    FAILS(zmq_socket_monitor_versioned(pull, "inproc://m", ZMQ_EVENT_ALL, 3, ZMQ_PAIR), EINVAL);
    FAILS(zmq_socket_monitor_versioned(pull, "inproc://m", ZMQ_EVENT_ALL, 2, ZMQ_REP), EINVAL);

    /* Version 1, the binding side. */
    CHECK(zmq_socket_monitor(pull, "inproc://binder", ZMQ_EVENT_ALL) == 0);
    FAILS(zmq_socket_monitor(push, "inproc://binder", ZMQ_EVENT_ALL), EADDRINUSE);
    void *monitor = zmq_socket(context, ZMQ_PAIR);
    CHECK(zmq_connect(monitor, "inproc://binder") == 0);
    /* Version 2, the connecting side, which an event may not be told before somebody listens. */
    CHECK(zmq_socket_monitor_versioned(push, "inproc://connecter", ZMQ_EVENT_ALL_V2, 2, ZMQ_PUSH) == 0);
    void *other = zmq_socket(context, ZMQ_PULL);
    CHECK(zmq_connect(other, "inproc://connecter") == 0);

    CHECK(zmq_bind(pull, "tcp://127.0.0.1:*") == 0);
    CHECK(zmq_getsockopt(pull, ZMQ_LAST_ENDPOINT, bound, &size) == 0);
    CHECK(event_v1(monitor, &value, endpoint) == ZMQ_EVENT_LISTENING);
    CHECK(strcmp(endpoint, bound) == 0);
    CHECK(value > 2);
    CHECK(zmq_connect(push, bound) == 0);
    CHECK(event_v1(monitor, &value, endpoint) == ZMQ_EVENT_ACCEPTED);
    CHECK(strcmp(endpoint, bound) == 0);
    CHECK(event_v1(monitor, &value, endpoint) == ZMQ_EVENT_HANDSHAKE_SUCCEEDED);

    static const uint64_t expected[] = {
        ZMQ_EVENT_CONNECT_DELAYED, ZMQ_EVENT_CONNECTED, ZMQ_EVENT_HANDSHAKE_SUCCEEDED};
    for (int i = 0; i < 3; i++) {
        CHECK(number(other) == expected[i]);
        CHECK(number(other) == 1);
        number(other);
        CHECK(zmq_recv(other, endpoint, sizeof endpoint, 0) >= 0);
        CHECK(get_int(other, ZMQ_RCVMORE) == 1);
        int length = zmq_recv(other, endpoint, sizeof endpoint, 0);
        CHECK(length == (int) strlen(bound) && memcmp(endpoint, bound, length) == 0);
        CHECK(get_int(other, ZMQ_RCVMORE) == 0);
    }

    CHECK(zmq_close(push) == 0);
    CHECK(event_v1(monitor, &value, endpoint) == ZMQ_EVENT_DISCONNECTED);
    /* The end by request, after which the name is free, and the end with the socket. */
    CHECK(zmq_socket_monitor(pull, NULL, 0) == 0);
    CHECK(event_v1(monitor, &value, endpoint) == ZMQ_EVENT_MONITOR_STOPPED);
    CHECK(zmq_socket_monitor(pull, "inproc://binder", ZMQ_EVENT_MONITOR_STOPPED) == 0);
    CHECK(zmq_close(monitor) == 0);
    monitor = zmq_socket(context, ZMQ_PAIR);
    CHECK(zmq_connect(monitor, "inproc://binder") == 0);
    CHECK(zmq_close(pull) == 0);
    CHECK(event_v1(monitor, &value, endpoint) == ZMQ_EVENT_MONITOR_STOPPED);
    CHECK(zmq_close(monitor) == 0);
    CHECK(zmq_close(other) == 0);
    CHECK(zmq_ctx_term(context) == 0);
    return 0;
}

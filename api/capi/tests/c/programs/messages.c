/* Messages: every way to make one, to share it and to let it go. */
#include "check.h"

static int freed;

static void count_free(void *data, void *hint)
{
    CHECK(hint == &freed);
    freed++;
    free(data);
}

static char *filled(size_t size)
{
    char *data = malloc(size + 1);
    memset(data, 'x', size);
    return data;
}

static void basics(void)
{
    zmq_msg_t msg;
    CHECK(zmq_msg_init(&msg) == 0);
    CHECK(zmq_msg_size(&msg) == 0);
    CHECK(!zmq_msg_more(&msg));
    CHECK(zmq_msg_close(&msg) == 0);
    FAILS(zmq_msg_close(&msg), EFAULT);
    static const size_t sizes[] = {0, 1, 33, 56, 57, 64, 1000, 100000, 300000, 5000000};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK(zmq_msg_init_size(&msg, sizes[i]) == 0);
        CHECK(zmq_msg_size(&msg) == sizes[i]);
        memset(zmq_msg_data(&msg), 'y', sizes[i]);
        zmq_msg_t copy;
        CHECK(zmq_msg_init(&copy) == 0);
        CHECK(zmq_msg_copy(&copy, &msg) == 0);
        CHECK(zmq_msg_size(&copy) == sizes[i]);
        CHECK(memcmp(zmq_msg_data(&copy), zmq_msg_data(&msg), sizes[i]) == 0);
        CHECK(zmq_msg_close(&msg) == 0);
        CHECK(sizes[i] == 0 || *(char *) zmq_msg_data(&copy) == 'y');
        CHECK(zmq_msg_close(&copy) == 0);
    }
    errno = 0;
    FAILS(zmq_msg_init_size(&msg, (size_t) -1 / 2 + 1), ENOMEM);
    char *data = filled(500);
    CHECK(zmq_msg_init_buffer(&msg, data, 500) == 0);
    CHECK(memcmp(zmq_msg_data(&msg), data, 500) == 0);
    free(data);
    FAILS(zmq_msg_get(&msg, 99), EINVAL);
    FAILS(zmq_msg_set(&msg, ZMQ_MORE, 1), EINVAL);
    IS_NULL((void *) zmq_msg_gets(&msg, "X-nothing"), EINVAL);
    FAILS(zmq_msg_set_routing_id(&msg, 0), EINVAL);
    CHECK(zmq_msg_set_routing_id(&msg, 77) == 0);
    CHECK(zmq_msg_routing_id(&msg) == 77);
    CHECK(zmq_msg_close(&msg) == 0);
}

static void adopted(void)
{
    zmq_msg_t msg, copy, moved;
    char *data = filled(100000);
    CHECK(zmq_msg_init_data(&msg, data, 100000, count_free, &freed) == 0);
    CHECK(zmq_msg_data(&msg) == data);
    CHECK(zmq_msg_get(&msg, ZMQ_SHARED) == 0);
    CHECK(zmq_msg_init(&copy) == 0 && zmq_msg_init(&moved) == 0);
    CHECK(zmq_msg_copy(&copy, &msg) == 0);
    CHECK(zmq_msg_data(&copy) == data);
    CHECK(zmq_msg_get(&copy, ZMQ_SHARED) == 1);
    CHECK(zmq_msg_move(&moved, &msg) == 0);
    CHECK(zmq_msg_size(&msg) == 0);
    CHECK(zmq_msg_close(&msg) == 0);
    CHECK(zmq_msg_close(&copy) == 0);
    CHECK(freed == 0);
    /* Bindings move messages as plain bytes. */
    memcpy(&msg, &moved, sizeof msg);
    CHECK(zmq_msg_data(&msg) == data);
    CHECK(zmq_msg_close(&msg) == 0);
    CHECK(freed == 1);
    static char constant[] = "never freed";
    CHECK(zmq_msg_init_data(&msg, constant, sizeof constant, NULL, NULL) == 0);
    CHECK(zmq_msg_close(&msg) == 0);
    CHECK(zmq_msg_init_data(&msg, NULL, 0, NULL, NULL) == 0);
    CHECK(zmq_msg_size(&msg) == 0);
    CHECK(zmq_msg_close(&msg) == 0);
    CHECK(freed == 1);
}

/* What is sent is released by the library, once, whatever its way. */
static void sent(int tcp)
{
    void *context = zmq_ctx_new();
    void *push = zmq_socket(context, ZMQ_PUSH);
    void *pull = zmq_socket(context, ZMQ_PULL);
    if (tcp)
        meet(pull, push);
    else {
        CHECK(zmq_bind(pull, "inproc://sent") == 0);
        CHECK(zmq_connect(push, "inproc://sent") == 0);
    }
    freed = 0;
    for (int i = 0; i < 200; i++) {
        zmq_msg_t msg;
        size_t size = (size_t) i * 997;
        char *data = filled(size);
        CHECK(zmq_msg_init_data(&msg, data, size, count_free, &freed) == 0);
        CHECK(zmq_msg_send(&msg, push, i % 3 ? ZMQ_SNDMORE : 0) == (int) size);
        CHECK(zmq_msg_size(&msg) == 0);
        CHECK(zmq_msg_close(&msg) == 0);
    }
    SENDS(push, "end", 0);
    for (int i = 0; i < 200; i++) {
        zmq_msg_t msg;
        CHECK(zmq_msg_init(&msg) == 0);
        CHECK(zmq_msg_recv(&msg, pull, 0) == i * 997);
        CHECK(zmq_msg_more(&msg) == (i % 3 != 0));
        CHECK(zmq_msg_get(&msg, ZMQ_MORE) == (i % 3 != 0));
        const char *data = zmq_msg_data(&msg);
        for (int j = 0; j < i * 997; j++)
            CHECK(data[j] == 'x');
        CHECK(zmq_msg_close(&msg) == 0);
    }
    RECEIVES(pull, "end");
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(pull) == 0);
    CHECK(zmq_ctx_term(context) == 0);
    CHECK(freed == 200);
}

/* A message that could not be sent is still the caller's. */
static void refused(void)
{
    void *context = zmq_ctx_new();
    void *push = zmq_socket(context, ZMQ_PUSH);
    zmq_msg_t msg;
    freed = 0;
    CHECK(zmq_msg_init_data(&msg, filled(1000), 1000, count_free, &freed) == 0);
    FAILS(zmq_msg_send(&msg, push, ZMQ_DONTWAIT), EAGAIN);
    CHECK(zmq_msg_size(&msg) == 1000);
    CHECK(freed == 0);
    CHECK(zmq_msg_close(&msg) == 0);
    CHECK(freed == 1);
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_ctx_term(context) == 0);
}

int main(void)
{
    basics();
    adopted();
    sent(0);
    sent(1);
    refused();
    return 0;
}

/* The table of request bodies, see sample_bodies.h. */
#include "sample_bodies.h"

#define OK(name, body)                                                                             \
    {                                                                                              \
        name, body, 0, 200, NULL, NULL                                                             \
    }
#define BAD_JSON(name, body)                                                                       \
    {                                                                                              \
        name, body, sizeof(body) - 1, 400, NULL, "malformed_json"                                  \
    }
#define FIELD(name, body, pointer, code)                                                           \
    {                                                                                              \
        name, body, 0, 422, pointer, code                                                          \
    }

static const sample_body bodies[] = {
    BAD_JSON("J01 blank", "  \n"),
    BAD_JSON("J01 null", "null"),
    BAD_JSON("J01 number", "5"),
    BAD_JSON("J01 string", "\"x\""),
    FIELD("J01 array", "[]", "", "wrong_type"),
    BAD_JSON("J02 cut", "{\"n\":"),
    BAD_JSON("J02 trailing", "{} x"),
    BAD_JSON("J02 two documents", "{}{}"),
    BAD_JSON("J02 comment", "{/* n */}"),
    BAD_JSON("J02 byte order mark", "\xef\xbb\xbf{}"),
    BAD_JSON("J02 NaN", "{\"noise_scale\":NaN}"),
    BAD_JSON("J02 Infinity", "{\"noise_scale\":Infinity}"),
    BAD_JSON("J02 leading zero", "{\"n\":01}"),
    BAD_JSON("J02 plus", "{\"n\":+1}"),
    BAD_JSON("J03 duplicate key", "{\"n\":1,\"n\":64}"),
    BAD_JSON("J04 17 levels", "{\"n\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}"),
    FIELD("J04 16 levels", "{\"n\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", "/n", "wrong_type"),
    BAD_JSON("J07 real overflow", "{\"noise_scale\":1e999}"),
    BAD_JSON("J07 integer overflow", "{\"n\":99999999999999999999}"),
    FIELD("J08 underflow is zero", "{\"noise_scale\":1e-999}", "/noise_scale", "out_of_range"),
    FIELD("J08 minus zero", "{\"noise_scale\":-0.0}", "/noise_scale", "out_of_range"),
    FIELD("J08 minus zero n", "{\"n\":-0}", "/n", "out_of_range"),
    FIELD("J09 real for integer", "{\"n\":1.0}", "/n", "wrong_type"),
    FIELD("J09 exponent for integer", "{\"n\":1e1}", "/n", "wrong_type"),
    FIELD("J09 string for integer", "{\"n\":\"100\"}", "/n", "wrong_type"),
    FIELD("J09 true for integer", "{\"n\":true}", "/n", "wrong_type"),
    FIELD("J09 null for integer", "{\"n\":null}", "/n", "wrong_type"),
    FIELD("J09 object for integer", "{\"n\":{}}", "/n", "wrong_type"),
    FIELD("J09 string for real", "{\"noise_scale\":\"1\"}", "/noise_scale", "wrong_type"),
    FIELD("J09 number for choice", "{\"response_format\":1}", "/response_format", "wrong_type"),
    FIELD("J09 number for model", "{\"model\":1}", "/model", "wrong_type"),
    BAD_JSON("J10 escaped NUL", "{\"model\":\"a\\u0000b\"}"),
    BAD_JSON("J10 escaped NUL in key", "{\"a\\u0000\":1}"),
    BAD_JSON("J10 raw NUL", "{\"model\":\"a\0b\"}"),
    BAD_JSON("J10 lone surrogate", "{\"model\":\"\\ud800\"}"),
    BAD_JSON("J10 overlong", "{\"model\":\"\xc0\xaf\"}"),
    BAD_JSON("J10 ff", "{\"model\":\"\xff\"}"),
    FIELD("J11 misspelt", "{\"stesp\":1}", "/stesp", "unknown_field"),
    FIELD("J11 empty key", "{\"\":1}", "/", "unknown_field"),
    FIELD("J11 escaped pointer", "{\"a/b~c\":1}", "/a~1b~0c", "unknown_field"),
    FIELD("S01 steps 0", "{\"steps_per_level\":0}", "/steps_per_level", "out_of_range"),
    FIELD("S01 steps -1", "{\"steps_per_level\":-1}", "/steps_per_level", "out_of_range"),
    FIELD("S01 steps 2001", "{\"steps_per_level\":2001}", "/steps_per_level", "out_of_range"),
    FIELD("S01 steps 2^31", "{\"steps_per_level\":2147483648}", "/steps_per_level", "out_of_range"),
    FIELD("S01 steps 2^63-1", "{\"steps_per_level\":9223372036854775807}", "/steps_per_level",
          "out_of_range"),
    FIELD("S02 n 0", "{\"n\":0}", "/n", "out_of_range"),
    FIELD("S02 n -1", "{\"n\":-1}", "/n", "out_of_range"),
    FIELD("S02 n 65", "{\"n\":65}", "/n", "out_of_range"),
    FIELD("S03 noise -1", "{\"noise_scale\":-1}", "/noise_scale", "out_of_range"),
    FIELD("S03 noise 1e308", "{\"noise_scale\":1e308}", "/noise_scale", "out_of_range"),
    FIELD("S03 noise 0", "{\"noise_scale\":0}", "/noise_scale", "out_of_range"),
    FIELD("S03 noise 5e-324", "{\"noise_scale\":5e-324}", "/noise_scale", "out_of_range"),
    OK("S04 seed -1", "{\"seed\":-1}"),
    OK("S04 seed null", "{\"seed\":null}"),
    OK("S04 seed 2^53-1", "{\"seed\":9007199254740991}"),
    FIELD("S04 seed 2^53", "{\"seed\":9007199254740992}", "/seed", "out_of_range"),
    FIELD("S04 seed -2", "{\"seed\":-2}", "/seed", "out_of_range"),
    BAD_JSON("S04 seed 2^63", "{\"seed\":9223372036854775808}"),
    FIELD("S04 seed 1.5", "{\"seed\":1.5}", "/seed", "wrong_type"),
    FIELD("S04 seed text", "{\"seed\":\"abc\"}", "/seed", "wrong_type"),
    FIELD("S05 path up", "{\"model\":\"../../etc/passwd\"}", "/model", "invalid_model_id"),
    FIELD("S05 absolute", "{\"model\":\"/abs\"}", "/model", "invalid_model_id"),
    FIELD("S05 escape", "{\"model\":\"a%2fb\"}", "/model", "invalid_model_id"),
    FIELD("S05 capitals", "{\"model\":\"MODEL\"}", "/model", "invalid_model_id"),
    FIELD("S05 empty", "{\"model\":\"\"}", "/model", "invalid_model_id"),
    FIELD("S05 65 characters",
          "{\"model\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
          "/model", "invalid_model_id"),
    FIELD("S05 emoji", "{\"model\":\"\xf0\x9f\x98\x80\"}", "/model", "invalid_model_id"),
    FIELD("S05 two dots", "{\"model\":\"a..b\"}", "/model", "invalid_model_id"),
    FIELD("S08 format", "{\"response_format\":\"file\"}", "/response_format", "not_a_choice"),
    FIELD("S08 prefix of a format", "{\"response_format\":\"b64\"}", "/response_format",
          "not_a_choice"),
    FIELD("S08 return", "{\"return\":\"file:///etc/passwd\"}", "/return", "unknown_field"),
    FIELD("S08 callback", "{\"callback\":\"http://a/\"}", "/callback", "unknown_field"),
    FIELD("index past 2^31", "{\"first_index\":2147483647,\"n\":2}", "/first_index",
          "out_of_range"),
    OK("index up to 2^31", "{\"first_index\":2147483647,\"n\":1,\"response_format\":\"none\"}"),
    FIELD("index 2^31", "{\"first_index\":2147483648}", "/first_index", "out_of_range"),
    OK("empty object", "{}"),
    OK("all fields", "{\"n\":2,\"seed\":7,\"first_index\":3,\"steps_per_level\":2,"
                     "\"noise_scale\":0.5,\"response_format\":\"none\"}"),
};

const sample_body *sample_bodies(size_t *n)
{
    *n = sizeof(bodies) / sizeof(bodies[0]);
    return bodies;
}

/* Operations on a daemon. See op_remote.h. */
#include "cli/op_remote.h"

#include <math.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/remote_job.h"
#include "ebm/io.h"
#include "ebm/memory.h"

#define PICTURE_MAX (16u * 1024u * 1024u)

/* --- bodies --------------------------------------------------------------------------------- */

/* Puts a value under a name; a point leads into an object. Takes the value. */
static bool put(json_t *body, const char *name, json_t *value)
{
    const char *point = strchr(name, '.');
    char first[32];
    if (!point)
        return json_object_set_new(body, name, value) == 0;
    (void)snprintf(first, sizeof first, "%.*s", (int)(point - name), name);
    json_t *inner = json_object_get(body, first);
    if (!inner) {
        inner = json_object();
        if (json_object_set_new(body, first, inner) != 0) {
            json_decref(value);
            return false;
        }
    }
    return json_object_set_new(inner, point + 1, value) == 0;
}

static json_t *choice_of(const ebm_param *row, int index)
{
    const char *at = row->choices;
    for (; index > 0 && at; index--)
        at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL;
    return at ? json_stringn(at, strcspn(at, "|")) : NULL;
}

/* A file as base64. @own *out: json_decref() */
static ebm_status picture_of(const char *where, const char *file, json_t **out, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_error cause = {0};
    ebm_status st = ebm_file_read(NULL, file, PICTURE_MAX, &data, &size, &cause);
    *out = NULL;
    if (st != EBM_OK)
        return ebmt__cli_blame(where, file, &cause, err);
    char *text = ebm_alloc(BASE64_ENCODE_RAW_LENGTH(size) + 1, 1);
    if (text) {
        base64_encode_raw(text, size, data);
        *out = json_stringn(text, BASE64_ENCODE_RAW_LENGTH(size));
    }
    ebm_free(text);
    ebm_free(data);
    return *out ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, where, "no memory for a picture");
}

static json_t *number_of(const ebm_param *row, const ebm_op_params *p)
{
    double value = ebm_param_number(row, p);
    switch (row->type) {
    case EBM_PARAM_INT:
    case EBM_PARAM_SEED:
        return json_integer((json_int_t)value);
    case EBM_PARAM_CHOICE:
        return choice_of(row, (int)value);
    case EBM_PARAM_BOOL:
        return json_boolean(value != 0.0);
    case EBM_PARAM_REAL:
    case EBM_PARAM_MODEL:
    case EBM_PARAM_IMAGE:
    case EBM_PARAM_OBJECT:
        break;
    }
    return json_real(value);
}

/* Both sides have the same defaults; a seed is drawn on this one. */
static ebm_status put_row(json_t *body, const ebm_param *row, const ebm_op_params *p,
                          const ebm_op_params *defaults, ebm_error *err)
{
    char flag[EBMT__OP_FLAG_MAX];
    json_t *value = NULL;
    ebm_status st = EBM_OK;
    if (row->type == EBM_PARAM_IMAGE) {
        const char *file = *(const char *const *)((const char *)p + row->offset);
        if (!file)
            return EBM_OK;
        ebmt__op_flag(row->name, flag);
        st = picture_of(flag, file, &value, err);
    } else if (row->type == EBM_PARAM_MODEL ||
               (row->type != EBM_PARAM_SEED &&
                ebm_param_number(row, p) == ebm_param_number(row, defaults))) {
        return EBM_OK;
    } else {
        value = number_of(row, p);
    }
    if (st == EBM_OK && (!value || !put(body, row->name, value)))
        st = ebm_error_set(err, EBM_ERR_NOMEM, row->name, "no memory for a request");
    return st;
}

/* The picture that energy and likelihood are asked about. */
static ebm_status put_images(json_t *body, const char *file, ebm_error *err)
{
    json_t *one = NULL, *list = json_array();
    ebm_status st = picture_of("--images", file, &one, err);
    if (st == EBM_OK &&
        (json_array_append_new(list, one) != 0 || json_object_set(body, "images", list) != 0))
        st = ebm_error_set(err, EBM_ERR_NOMEM, "--images", "no memory for a request");
    json_decref(list);
    return st;
}

ebm_status ebmt__op_request_body(const ebm_operation *op, const ebmt__op_args *args, json_t **out,
                                 ebm_error *err)
{
    json_t *body = json_object();
    ebm_op_params defaults;
    ebm_status st = EBM_OK;
    *out = NULL;
    ebm_op_params_default(op, &defaults);
    if (!body || (args->model && json_object_set_new(body, "model", json_string(args->model)) != 0))
        st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a request");
    for (size_t i = 0; i < op->n_params && st == EBM_OK; i++)
        st = put_row(body, &op->params[i], &args->params, &defaults, err);
    if (st == EBM_OK && args->images)
        st = put_images(body, args->images, err);
    if (st == EBM_OK)
        *out = body;
    else
        json_decref(body);
    return st;
}

/* --- running -------------------------------------------------------------------------------- */

static ebm_status give(const ebm_operation *op, const ebmt__op_args *args, json_t *job,
                       ebm_error *err)
{
    int64_t first = op->kind == EBM_OP_INTERPOLATE ? 0 : args->params.first_index;
    if (op->kind == EBM_OP_SAMPLE || op->kind == EBM_OP_INPAINT || op->kind == EBM_OP_INTERPOLATE)
        return ebmt__job_save(job, args->out, first, err);
    return ebmt__job_print(job, err);
}

static ebm_status run_one(const ebmt__remote *r, const ebm_operation *op, const ebmt__op_args *args,
                          ebm_error *err)
{
    char path[64], id[EBMT_JOB_ID_MAX];
    json_t *body = NULL, *job = NULL;
    ebm_status st = ebmt__op_request_body(op, args, &body, err);
    (void)snprintf(path, sizeof path, "/v1/%s", op->name);
    if (st == EBM_OK)
        st = ebmt__job_start(r, path, body, id, err);
    if (st == EBM_OK)
        st = ebmt__job_wait(r, id, true, &job, err);
    if (st == EBM_OK)
        st = give(op, args, job, err);
    json_decref(job);
    json_decref(body);
    return st;
}

/* A daemon makes so many images in one request; item k of a request is the first of another that
 * begins with it. */
static ebm_status run_all(const ebmt__remote *r, const ebm_operation *op, ebmt__op_args *args,
                          ebm_error *err)
{
    const ebm_param *row = ebm_param_find(op->params, op->n_params, "n");
    int64_t left = args->params.n;
    ebm_status st = EBM_OK;
    if (!row || op->kind != EBM_OP_SAMPLE)
        return run_one(r, op, args, err);
    while (left > 0 && st == EBM_OK) {
        args->params.n = left < (int64_t)row->max ? left : (int64_t)row->max;
        st = run_one(r, op, args, err);
        left -= args->params.n;
        args->params.first_index += args->params.n;
    }
    return st;
}

static int run(const ebm_operation *op, ebmt__op_args *args)
{
    ebm_error err = {0};
    ebmt__remote r;
    ebm_status st = ebmt__remote_open(&r, args->server, args->api_key_file, &err);
    if (st == EBM_ERR_ARG)
        return ebmt__cli_usage(op->name, &err);
    if (st == EBM_OK && args->out)
        st = ebm_dir_make(args->out, &err);
    if (st == EBM_OK)
        st = run_all(&r, op, args, &err);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail(op->name, &err);
}

bool ebmt__op_begin(const ebmt__op_command *command, int argc, char **argv, ebmt__op_args *args,
                    int *code)
{
    if (!ebmt__op_args_parse(command, argc, argv, args, code))
        return false;
    if (!args->server)
        return true;
    *code = run(ebm_operation_of(command->kind), args);
    return false;
}

/* Small services on sets of 8-bit images. Knows pixels only. */
#ifndef EBMT_IMAGE_SETS_H
#define EBMT_IMAGE_SETS_H

#include "ebmt/data.h"

/* Bytes of one image. */
size_t ebmt__image_bytes(const ebmt_dataset *set);

/* Refuses images of another shape than those of `like`, naming both; err->where is `name`.
 * @err SHAPE */
EBM_MUST_CHECK ebm_status ebmt__images_alike(const ebmt_dataset *set, const char *name,
                                             const ebmt_dataset *like, const char *like_name,
                                             ebm_error *err);

/* Makes a set of n black images of the same size, without labels.
 * @own *out: ebmt_dataset_clear() @err RANGE (n < 1), NOMEM */
EBM_MUST_CHECK ebm_status ebmt__images_init(const ebmt_dataset *like, int64_t n, ebmt_dataset *out,
                                            ebm_error *err);

/* Copies n images, or all if there are fewer, from all over a set, which may be sorted: image i is
 * image floor(i count / n) of it. Labels stay behind.
 * @own *out: ebmt_dataset_clear() @err RANGE (n < 1), NOMEM */
EBM_MUST_CHECK ebm_status ebmt__images_spread(const ebmt_dataset *images, int64_t n,
                                              ebmt_dataset *out, ebm_error *err);

typedef enum ebmt__turn { EBMT__MIRRORED, EBMT__UPSIDE_DOWN } ebmt__turn;

/* Copies all images mirrored left to right, or upside down. Labels stay behind.
 * @own *out: ebmt_dataset_clear(), also after an error @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__images_turned(const ebmt_dataset *images, ebmt__turn turn,
                                              ebmt_dataset *out, ebm_error *err);

/* Between [H,W,C], as PNG has it, and image `index` of a set, [C,H,W]. @shape hwc [H,W,C] */
void ebmt__image_from_hwc(const uint8_t *hwc, ebmt_dataset *set, int64_t index);
void ebmt__image_to_hwc(const ebmt_dataset *set, int64_t index, uint8_t *hwc);

#endif

/* The clock and pauses, for the tests that cannot do without. */
#ifndef EBM_TEST_REAL_TIME_H
#define EBM_TEST_REAL_TIME_H

/* Since some moment in the past. @unit s */
double real_now_s(void);
void real_sleep_ms(long ms);

#endif

/* skew.c */
#include "maxcompute/skew.h"

#include <stdio.h>

/* The service wrote its date between the two, whenever that was. */
void skew_note(struct skew *skew, int64_t sent_ms, int64_t answered_ms, int64_t date_ms)
{
    if (answered_ms < sent_ms)
        return; /* somebody set the clock meanwhile */
    if (date_ms + 999 < sent_ms)
        skew->ahead_ms = sent_ms - date_ms;
    else if (date_ms > answered_ms)
        skew->ahead_ms = answered_ms - date_ms;
    else
        skew->ahead_ms = 0;
}

bool skew_is_large(const struct skew *skew)
{
    return skew->ahead_ms >= SKEW_TOLD_MS || skew->ahead_ms <= -SKEW_TOLD_MS;
}

const char *skew_text(const struct skew *skew, char text[SKEW_TEXT_MAX])
{
    int64_t minutes = ((skew->ahead_ms < 0 ? -skew->ahead_ms : skew->ahead_ms) + 30000) / 60000;
    bool hours = minutes >= 120, days = minutes >= 48 * 60;

    snprintf(text, SKEW_TEXT_MAX, "the clock of this machine is %lld %s %s the service's; set it",
             (long long)(days    ? (minutes + 12 * 60) / (24 * 60)
                         : hours ? (minutes + 30) / 60
                                 : minutes),
             days    ? "days"
             : hours ? "hours"
                     : "minutes",
             skew->ahead_ms < 0 ? "behind" : "ahead of");
    return text;
}

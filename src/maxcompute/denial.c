/* denial.c */
#include "maxcompute/denial.h"

#include <stdio.h>

static const struct {
    const char *code;
    enum denial denial;
} codes[] = {
    {"RequestTimeTooSkewed", DENIAL_CLOCK},
    {"AuthenticationRequestExpired", DENIAL_EXPIRED},
    {"SecurityTokenExpired", DENIAL_EXPIRED},
    {"InvalidSecurityToken.Expired", DENIAL_EXPIRED},
    {"InvalidSecurityToken", DENIAL_WRONG},
    {"InvalidAccessKeyId", DENIAL_WRONG},
    {"InvalidAccessKeyId.NotFound", DENIAL_WRONG},
    {"SignatureDoesNotMatch", DENIAL_WRONG},
    {"SignatureNotMatch", DENIAL_WRONG},
    {"Unauthorized", DENIAL_WRONG},
    {"AccessDenied", DENIAL_RIGHTS},
    {"NoPermission", DENIAL_RIGHTS},
};

/* These stand in the code or at the beginning of the message. */
static const struct {
    const char *number;
    enum denial denial;
} numbers[] = {
    {"ODPS-0410031", DENIAL_EXPIRED}, {"ODPS-0410051", DENIAL_WRONG},  {"ODPS-0410042", DENIAL_WRONG},
    {"ODPS-0130013", DENIAL_RIGHTS},  {"ODPS-0420095", DENIAL_RIGHTS},
};

enum denial denial_of(const struct service_error *service, int status)
{
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (strcmp(service->code, codes[i].code) == 0)
            return codes[i].denial;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (strcmp(service->code, numbers[i].number) == 0 || strstr(service->message, numbers[i].number))
            return numbers[i].denial;
    return status == 401 ? DENIAL_WRONG : status == 403 ? DENIAL_UNCLEAR : DENIAL_NONE;
}

bool denial_renews(enum denial denial)
{
    return denial == DENIAL_EXPIRED || denial == DENIAL_WRONG;
}

static bool has_token(const struct credentials *credentials)
{
    const struct credential *credential = credentials_get(credentials);

    return credential && credential->security_token;
}

const char *denial_advise(enum denial denial, const struct credentials *credentials, const struct skew *skew,
                          char text[DENIAL_TEXT_MAX])
{
    char clock[SKEW_TEXT_MAX], advice[DENIAL_TEXT_MAX - SKEW_TEXT_MAX - 40];
    bool off = skew_is_large(skew);

    if (denial == DENIAL_RIGHTS) {
        snprintf(text, DENIAL_TEXT_MAX,
                 "the account of the access key lacks a permission on the project or table: grant it, or check "
                 "the credentials of the data source");
        return text;
    }
    credentials_advise(credentials, advice, sizeof(advice));
    if (off)
        skew_text(skew, clock);
    if (denial == DENIAL_CLOCK || (denial == DENIAL_EXPIRED && !has_token(credentials)))
        snprintf(text, DENIAL_TEXT_MAX, "%s",
                 off ? clock : "check this machine's clock, which may differ from the service's by at most 15 minutes");
    else if (off)
        snprintf(text, DENIAL_TEXT_MAX, "%s first; if the error stays, %s", clock, advice);
    else if (denial == DENIAL_UNCLEAR)
        snprintf(text, DENIAL_TEXT_MAX, "%s; or its account lacks the permission on the project and the table", advice);
    else
        snprintf(text, DENIAL_TEXT_MAX, "%s", advice);
    return text;
}

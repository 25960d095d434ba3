/* failure.c */
#include "maxcompute/failure.h"

#include <openssl/x509_vfy.h>
#include <stdlib.h>

#include "util/log.h"

/* What another attempt cannot change: a wrong URL, a certificate that is not trusted, an unreadable CA file. */
static bool result_is_final(CURLcode result)
{
    switch (result) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
        return true;
    default:
        return false;
    }
}

static void certificate_describe(CURL *easy, const char *text, const char *ca_file, struct error *error)
{
    const char *advice = "name its CA's certificate in ca_file of the data source";
    long verified = X509_V_OK;

    curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verified);
    if (verified == X509_V_ERR_CERT_HAS_EXPIRED)
        advice = "it has to be renewed on the other side; or this machine's clock is wrong";
    else if (verified == X509_V_ERR_CERT_NOT_YET_VALID)
        advice = "check this machine's clock";
    else if (verified == X509_V_OK || verified == X509_V_ERR_UNSPECIFIED) /* the chain is trusted, the name is another */
        advice = "it is made out to another host; check the endpoint of the data source";
    else if (ca_file)
        advice = "its CA is not among the certificates of ca_file";
    error_set(error, ERROR_FATAL, "the certificate of the other side is not accepted (%s); %s%s%s", text, advice,
              ca_file ? ": " : "", ca_file ? ca_file : "");
}

void failure_proxy_login(struct error *error)
{
    error_set(error, ERROR_FATAL,
              "the proxy asks for a user and a password, or does not take these (407); check proxy of the data "
              "source, which has them as http://USER:PASSWORD@HOST:PORT");
}

/* True when the proxy itself refused, and the error says so. */
static bool proxy_describe(CURL *easy, CURLcode result, struct error *error)
{
    long connected = 0, socks = CURLPX_OK;

    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connected);
    curl_easy_getinfo(easy, CURLINFO_PROXY_ERROR, &socks);
    if (connected == 407 || (result == CURLE_PROXY && (socks == CURLPX_USER_REJECTED || socks == CURLPX_NO_AUTH))) {
        failure_proxy_login(error);
        return true;
    }
    if (connected >= 400) { /* of 5xx the proxy's own way out may come back */
        error_set(error, connected >= 500 || connected == 408 || connected == 429 ? ERROR_RETRY : ERROR_FATAL,
                  "the proxy answers %ld to a connection to the endpoint; check that it lets this machine through", connected);
        return true;
    }
    return false;
}

void failure_describe(CURL *easy, CURLcode result, const char *text, const char *ca_file, struct error *error)
{
    const char *said = text[0] ? text : curl_easy_strerror(result);

    if (proxy_describe(easy, result, error))
        return;
    if (result == CURLE_PEER_FAILED_VERIFICATION)
        certificate_describe(easy, said, ca_file, error);
    else
        error_set(error, result_is_final(result) ? ERROR_FATAL : ERROR_RETRY, "%s", said);
}

static void secret_tell(const char *proxy)
{
    CURLU *url = curl_url();
    char *password = NULL;

    for (unsigned flags = 0; url && flags <= CURLU_URLDECODE; flags += CURLU_URLDECODE) {
        if (curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) == CURLUE_OK &&
            curl_url_get(url, CURLUPART_PASSWORD, &password, flags) == CURLUE_OK)
            log_secret(password);
        curl_free(password);
        password = NULL;
    }
    curl_url_cleanup(url);
}

void failure_proxy_secret(const char *proxy)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

    if (proxy)
        secret_tell(proxy);
    for (size_t i = 0; !proxy && i < COUNT_OF(names); i++)
        if (getenv(names[i]))
            secret_tell(getenv(names[i]));
}

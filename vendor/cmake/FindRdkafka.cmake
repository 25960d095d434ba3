# librdkafka 2.13.2 or newer: an installed one is preferred, else the pinned build that scripts/vendor made.
# Older ones skip offsets on pause with batch consumption and stall fetching (Debian 12 has 2.0.2): they are refused.
set(minimum 2.13.2)
pkg_check_modules(RDKAFKA QUIET IMPORTED_TARGET rdkafka>=${minimum})
if(NOT RDKAFKA_FOUND)
    pkg_check_modules(RDKAFKA_ANY QUIET rdkafka)
    if(EXISTS ${LUADUCT_CACHE}/librdkafka/lib/librdkafka.a)
        # The archive's own list of what it needs is incomplete without static twins of each, so it stands here.
        pkg_check_modules(RDKAFKA_NEEDS REQUIRED IMPORTED_TARGET libsasl2 libssl libcrypto libcurl libzstd zlib)
        add_library(Rdkafka::rdkafka STATIC IMPORTED)
        set_target_properties(Rdkafka::rdkafka PROPERTIES
            IMPORTED_LOCATION ${LUADUCT_CACHE}/librdkafka/lib/librdkafka.a
            INTERFACE_INCLUDE_DIRECTORIES ${LUADUCT_CACHE}/librdkafka/include
            INTERFACE_LINK_LIBRARIES "PkgConfig::RDKAFKA_NEEDS;Threads::Threads;m;rt;${CMAKE_DL_LIBS}")
        set(Rdkafka_FOUND TRUE)
    elseif(RDKAFKA_ANY_FOUND)
        message(FATAL_ERROR "librdkafka ${RDKAFKA_ANY_VERSION} is installed, luaduct needs ${minimum} or newer (older ones skip offsets on "
            "pause and stall fetching): run scripts/vendor, which builds the pinned one")
    else()
        message(FATAL_ERROR "librdkafka is missing: run scripts/vendor, which builds the pinned one into ${LUADUCT_CACHE}")
    endif()
else()
    add_library(Rdkafka::rdkafka ALIAS PkgConfig::RDKAFKA)
    set(Rdkafka_FOUND TRUE)
endif()

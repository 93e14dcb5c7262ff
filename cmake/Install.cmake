# cmake --install: the program, the library with its headers, what find_package(Longhaul) reads, and the files that
# users copy from. LibTorch stays where it is; the installed package remembers the place.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(LONGHAUL_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Longhaul)
set(LONGHAUL_SHARE_DIR ${CMAKE_INSTALL_DATADIR}/longhaul)

install(TARGETS longhaul EXPORT LonghaulTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS llm-pretrain RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
set_target_properties(llm-pretrain PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/longhaul DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/recipes ${PROJECT_SOURCE_DIR}/configs DESTINATION ${LONGHAUL_SHARE_DIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/tools DESTINATION ${LONGHAUL_SHARE_DIR} USE_SOURCE_PERMISSIONS
        PATTERN "check_*" EXCLUDE PATTERN "make_*" EXCLUDE PATTERN "__pycache__" EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT LonghaulTargets NAMESPACE longhaul:: DESTINATION ${LONGHAUL_CMAKE_DIR})
configure_package_config_file(cmake/LonghaulConfig.cmake.in ${CMAKE_BINARY_DIR}/LonghaulConfig.cmake
                              INSTALL_DESTINATION ${LONGHAUL_CMAKE_DIR} PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/LonghaulConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/LonghaulConfig.cmake ${CMAKE_BINARY_DIR}/LonghaulConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/LibTorch.cmake
        DESTINATION ${LONGHAUL_CMAKE_DIR})

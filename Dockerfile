# Two images: `label-studio` (as itself, unpatched) and `product` (backend, workers, command line).
# Both run as the same user, because Label Studio reads the pictures that the product writes.
#
# PIP_ARGS is passed to pip, for example to take a torch without CUDA from its makers' own index.

FROM python:3.11-slim AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
RUN useradd --uid 1000 --create-home lungloop \
    # A fresh named volume takes its owner from the folder that the image has in its place.
    && mkdir -p /lungloop/home /lungloop/storage /lungloop/weights /lungloop/label-studio \
    && chown -R lungloop:lungloop /lungloop

FROM base AS label-studio
ARG PIP_ARGS=""
# psycopg2 comes as a binary; label-studio 1.23.2 breaks with numpy 2.3.
RUN pip install ${PIP_ARGS} 'label-studio==1.23.2' 'numpy<2.3'
USER lungloop
WORKDIR /lungloop/label-studio
EXPOSE 8080
CMD ["label-studio", "start", "--no-browser", "--internal-host", "0.0.0.0", "--port", "8080"]

FROM base AS product
ARG PIP_ARGS=""
WORKDIR /app
COPY . .
# In place, as `make up` installs it: weights and annotation_configs are found beside the packages.
RUN pip install ${PIP_ARGS} -c constraints.txt -e . \
    && cp -r weights/. /lungloop/weights \
    && chown -R lungloop:lungloop /lungloop
USER lungloop
ENV LUNGLOOP_HOME=/lungloop/home \
    LUNGLOOP_STORAGE_URL=/lungloop/storage \
    LUNGLOOP_WEIGHTS_DIR=/lungloop/weights
EXPOSE 9090
ENTRYPOINT ["lungloop"]
CMD ["--help"]

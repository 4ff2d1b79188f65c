#!/bin/bash -l

#SBATCH -J filewatcher
#SBATCH -p compute
#SBATCH -n 1
#SBATCH --cpus-per-task=8
#SBATCH -t 02:00:00
#SBATCH --no-requeue
#SBATCH --chdir=/tmp
#SBATCH --output=/home/me/filewatcher-logs/filewatcher-%j.log
export MALLOC_MMAP_MAX_=0
export MALLOC_TRIM_THRESHOLD_=8589934592
export OMP_NUM_THREADS=1
export MKL_NUM_THREADS=1
export OPENBLAS_NUM_THREADS=1
export HDF5_USE_FILE_LOCKING=FALSE
/sw/filewatcher/bin/python -m distributed.cli.dask_worker tcp://SCHEDULER:PORT --name slurm-$SLURM_JOB_ID --nthreads 1 --memory-limit 2.00GiB --nworkers 8 --nanny --death-timeout 60 --local-directory "${TMPDIR:-/tmp}" --no-dashboard --lifetime 6960s --lifetime-stagger 120s --interface eth0

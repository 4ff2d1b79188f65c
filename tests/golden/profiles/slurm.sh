#!/bin/bash -l

#SBATCH -J filewatcher
#SBATCH -p live
#SBATCH -n 1
#SBATCH --cpus-per-task=4
#SBATCH --mem=14029M
#SBATCH -t 08:00:00
#SBATCH --no-requeue
#SBATCH --chdir=/tmp
#SBATCH --output=/home/me/filewatcher-logs/filewatcher-%j.log
export MALLOC_MMAP_MAX_=0
export MALLOC_TRIM_THRESHOLD_=8589934592
export OMP_NUM_THREADS=1
export MKL_NUM_THREADS=1
export OPENBLAS_NUM_THREADS=1
export HDF5_USE_FILE_LOCKING=FALSE
/sw/filewatcher/bin/python -m distributed.cli.dask_worker tcp://SCHEDULER:PORT --name slurm-$SLURM_JOB_ID --nthreads 1 --memory-limit 3.00GiB --nworkers 4 --nanny --death-timeout 60 --local-directory "${TMPDIR:-/tmp}" --no-dashboard --lifetime 28560s --lifetime-stagger 120s

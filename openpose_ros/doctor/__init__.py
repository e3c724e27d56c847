"""What of this machine the package can use, what does not fit, and what to do. ``commands/doctor.py`` shows it.

Nothing here imports more than Python's standard library: a library that kills its process at import, or never returns,
must not take the doctor with it. So libraries are tried in processes of their own (``ask.py``, ``answers.py``), and
what those say is judged here, a file for each part of the machine.
"""
